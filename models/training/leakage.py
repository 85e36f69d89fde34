"""Find features that know the outcome. The check looks at values and outcomes, never at names.

Findings are of two tiers. A **leak** stops training; a **doubt** is shown, for a person to look at. A person may waive
a finding, with name, reason and the last observation date that the waiver covers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from data_contracts.errors import GateFailed
from models.training.leakage_columns import simple_rules
from models.training.leakage_pairs import pair_leaks
from models.training.leakage_patterns import marked_digits, opposite_spikes, own_rates
from models.training.leakage_sample import LeakSample, auc_and_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.components.encoding import FloatArray
    from models.settings import LeakSettings
    from models.training.dataset import Dataset

FAR_ABOVE: Final = 0.15
"""Distance of a column's AUC above the second best from which a person should look at it."""


class LeakFinding(NamedTuple):
    """A feature that may know the outcome, the rule that found it, and the evidence; a doubt stops nothing."""

    feature: str
    rule: str
    evidence: str
    is_leak: bool = True


def find_leaks(dataset: Dataset, settings: LeakSettings) -> tuple[LeakFinding, ...]:
    """Return the findings of a labelled sample, leaks and doubts, in feature order; waived features are left out."""
    sample = LeakSample.of(dataset)
    waived = settings.waived_at(dataset.as_of.max().astype(object))
    kept = [place for place, name in enumerate(dataset.feature_names) if name not in waived]
    X, names = dataset.X[:, kept], [dataset.feature_names[place] for place in kept]
    if not kept or sample.bad.all() or not sample.bad.any():
        return ()
    found: dict[int, LeakFinding] = {}
    for place, name in enumerate(names):
        finding = next(_of_column(X[:, place], sample, settings, len(names)), None)
        if finding is not None:
            found[place] = LeakFinding(name, *finding)
    alone = np.array([_own_auc(column, sample) for column in X.T])
    _far_above_the_rest(alone[:, 0], alone[:, 1], names, found)
    unsuspected = [place for place in range(len(names)) if place not in found]
    for pair in pair_leaks(X[:, unsuspected], sample, alone[unsuspected, 0], settings):
        both = [unsuspected[place] for place in pair.columns]
        for place, other in (both, reversed(both)):
            words = f"{pair.evidence}, with {names[other]}"
            found[place] = LeakFinding(names[place], pair.rule, words, pair.is_leak)
    return tuple(found[place] for place in sorted(found))


def refuse_leaks(dataset: Dataset, settings: LeakSettings) -> tuple[LeakFinding, ...]:
    """Check a labelled sample for leaks, and return the doubts.

    Raises:
        GateFailed: there are leaks; the message names every feature.
    """
    findings = find_leaks(dataset, settings)
    leaks = [finding for finding in findings if finding.is_leak]
    if leaks:
        named = "; ".join(f"{finding.feature} ({finding.rule}: {finding.evidence})" for finding in leaks)
        raise GateFailed(
            f"leak check failed: {named}; remedy: remove the features, or waive them in [[training.leaks.waivers]] "
            f"with reason, person and last day"
        )
    return findings


def _of_column(
    values: FloatArray, sample: LeakSample, settings: LeakSettings, columns: int
) -> Iterator[tuple[str, str, bool]]:
    """Yield what one column shows, leaks before doubts."""
    if not np.isfinite(values).any():
        return
    yield from ((*finding, True) for finding in simple_rules(values, sample, settings))
    yield from ((*finding, True) for finding in opposite_spikes(values, sample, settings, columns))
    yield from ((*finding, True) for finding in own_rates(values, sample, settings, columns))
    yield from marked_digits(values, sample, settings, columns)


def _own_auc(values: FloatArray, sample: LeakSample) -> tuple[float, float]:
    """Return a column's AUC in the better direction and its standard error; 0.5 where it cannot be told."""
    known = np.isfinite(values)
    bads = int(sample.bad[known].sum())
    if bads < 2 or bads > known.sum() - 2:
        return 0.5, 0.0
    return auc_and_error(values[known], sample.bad[known], sample.seller[known])


def _far_above_the_rest(auc: FloatArray, error: FloatArray, names: list[str], found: dict[int, LeakFinding]) -> None:
    """Add a doubt on the best column if it ranks far better than the second best."""
    if len(names) < 2:
        return
    second, best = np.argsort(auc, kind="stable")[-2:].tolist()
    if best not in found and auc[best] - 3 * error[best] > auc[second] + FAR_ABOVE:
        words = f"AUC {auc[best]:.3f} by itself, {auc[second]:.3f} by the second best"
        found[best] = LeakFinding(names[best], "far above the rest", words, is_leak=False)

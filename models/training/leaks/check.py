"""Find features that know the outcome. The check looks at values and outcomes, never at names.

Findings are of two tiers. A **leak** stops training; a **doubt** is shown, for a person to look at. A person may waive
a finding, with name, reason and the last observation date that the waiver covers.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from data_contracts.errors import GateFailed
from models.training.leaks.columns import simple_rules
from models.training.leaks.pairs import pair_leaks
from models.training.leaks.patterns import drawn_rates, marked_digits, opposite_spikes, own_rates
from models.training.leaks.ranges import (
    auc_by_narrow_ranges,
    block_of_defaulters,
    error_of_auc,
    lower_auc,
    missing_of_defaulters,
    nearly_pure_value,
    own_auc,
    telling_ranges,
)
from models.training.leaks.rows import copied_rows, known_too_late, telling_order
from models.training.leaks.sample import LeakSample, Ordered, separation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.components.encoding import FloatArray
    from models.settings import LeakSettings
    from models.training.dataset import Dataset

ROWS: Final = "(rows)"
ROW_ORDER: Final = "(row order)"
MISSING_CELLS: Final = "(number of missing cells)"
"""What a finding names that is about no single column; a waiver may name it too."""

FAR_ABOVE: Final = 0.5
"""Separation above that of the next best column from which a person should look at a column."""
FAR_ABOVE_FROM: Final = 0.75
"""AUC by itself below which no column is far above the rest."""
RULES_OF_STRENGTH: Final = frozenset(
    {"pure tail", "near-perfect ranking", "block of defaulters", "near-perfect ranges"}
)
"""Rules that an honest column may break in a table whose columns rank nearly perfectly anyway."""
STRONG_TABLE: Final = 0.8
"""AUC of the upper quartile of the other columns from which a table is such a table."""
STANDS_OUT: Final = 2.0
"""Separation above that quartile from which a column is a leak even there."""


class LeakFinding(NamedTuple):
    """A feature that may know the outcome, the rule that found it, and the evidence; a doubt stops nothing."""

    feature: str
    rule: str
    evidence: str
    is_leak: bool = True


class _Columns(NamedTuple):
    """The columns that are looked at, and of each the AUC by its direction with standard error, and by its ranges."""

    X: FloatArray
    names: list[str]
    alone: FloatArray
    by_ranges: FloatArray

    @classmethod
    def of(cls, X: FloatArray, names: list[str], sample: LeakSample) -> _Columns:
        alone = np.array([own_auc(column, sample) for column in X.T], dtype=np.float64).reshape(-1, 2)
        return cls(X, names, alone, np.array([auc_by_narrow_ranges(column, sample) for column in X.T]))

    def is_beyond_the_rest(self, at: int) -> bool:
        """Return whether a column may not be explained by the strength of the others."""
        others = np.delete(self.alone[:, 0], at)
        rest = float(np.quantile(others, 0.75)) if len(others) else 0.5
        return rest < STRONG_TABLE or bool(separation(self.alone[at, 0]) - separation(rest) >= STANDS_OUT)


def find_leaks(dataset: Dataset, settings: LeakSettings) -> tuple[LeakFinding, ...]:
    """Return the findings of a labelled sample, leaks and doubts: of columns in feature order, then of rows.

    Waived features are left out.
    """
    sample = LeakSample.of(dataset)
    waived = settings.waived_at(dataset.as_of.max().astype(object))
    kept = [place for place, name in enumerate(dataset.feature_names) if name not in waived]
    if sample.bad.all() or not sample.bad.any():
        return ()
    columns = _Columns.of(dataset.X[:, kept], [dataset.feature_names[place] for place in kept], sample)
    found = {place: LeakFinding(columns.names[place], *late) for place, late in known_too_late(dataset, kept).items()}
    for place in set(range(len(kept))) - set(found):
        finding = _worst(_of_column(place, columns, sample, settings))
        if finding is not None:
            found[place] = LeakFinding(columns.names[place], *finding)
    _far_above_the_rest(columns, sample, found)
    _pairs(columns, sample, settings, found)
    of_rows = [one for one in _of_rows(dataset, columns, sample, settings, found) if one.feature not in waived]
    return (*(found[place] for place in sorted(found)), *of_rows)


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


def refuse_copies(train: Dataset, test: Dataset, settings: LeakSettings) -> None:
    """Check whether rows to judge are copies of training rows of other sellers.

    Raises:
        GateFailed: so many are copies that the judgement would be about rows that the model knows.
    """
    waived = settings.waived_at(max(train.as_of.max(), test.as_of.max()).astype(object))
    finding = None if ROWS in waived else copied_rows(train, test, settings)
    if finding is not None:
        raise GateFailed(
            f"leak check failed between training and test rows: {finding[0]}: {finding[1]}; remedy: keep one row of "
            f"each, or waive {ROWS} in [[training.leaks.waivers]] with reason, person and last day"
        )


def _worst(findings: Iterator[tuple[str, str, bool]]) -> tuple[str, str, bool] | None:
    """Return the first leak, or else the first doubt."""
    doubt = None
    for finding in findings:
        if finding[2]:
            return finding
        doubt = doubt or finding
    return doubt


def _of_column(
    at: int, columns: _Columns, sample: LeakSample, settings: LeakSettings
) -> Iterator[tuple[str, str, bool]]:
    """Yield what one column shows."""
    values, count = columns.X[:, at], len(columns.names)
    if not np.isfinite(values).any():
        return
    for rule, evidence in _certain(values, sample, settings, count):
        yield rule, evidence, rule not in RULES_OF_STRENGTH or columns.is_beyond_the_rest(at)
    yield from marked_digits(values, sample, settings, count)
    auc = float(columns.alone[at, 0]), float(columns.by_ranges[at])
    for rule, evidence, is_leak in telling_ranges(values, sample, settings, *auc):
        yield rule, evidence, is_leak and (rule not in RULES_OF_STRENGTH or columns.is_beyond_the_rest(at))
    doubts = chain(nearly_pure_value(values, sample, settings), drawn_rates(Ordered.of(values, sample)))
    yield from ((*finding, False) for finding in doubts)


def _certain(values: FloatArray, sample: LeakSample, settings: LeakSettings, count: int) -> Iterator[tuple[str, str]]:
    yield from simple_rules(values, sample, settings)
    column = Ordered.of(values, sample)
    yield from opposite_spikes(column, settings, count)
    yield from own_rates(column, settings, count)
    yield from block_of_defaulters(column, settings, count)
    is_known = np.isfinite(values)
    if not is_known.all():
        yield from missing_of_defaulters(is_known, sample, settings, count)


def _far_above_the_rest(columns: _Columns, sample: LeakSample, found: dict[int, LeakFinding]) -> None:
    """Add a doubt on the best columns, at most a quarter of all, if they tell far more than the next one.

    A column counts with what its AUC is at least, so that one known of few defaulters neither stands out nor hides one.
    """
    by_ranges = columns.by_ranges
    own = [
        lower_auc(auc, error, values, sample) for (auc, error), values in zip(columns.alone, columns.X.T, strict=True)
    ]
    least = np.maximum(own, [auc - 3.0 * error_of_auc(auc, sample) for auc in by_ranges.tolist()])
    likely = np.where(least > 0.5, np.maximum(columns.alone[:, 0], by_ranges), least)
    best = np.argsort(-least, kind="stable").tolist()
    for count in range(1, max(len(best) // 4, 1) + 1):
        chosen, rest = best[:count], best[count:]
        if not rest or likely[chosen[-1]] < FAR_ABOVE_FROM:
            return
        next_best = float(likely[rest].max())
        if float(separation(least[chosen[-1]])) - float(separation(next_best)) > FAR_ABOVE:
            for at in set(chosen) - set(found):
                words = f"AUC {likely[at]:.3f} by itself, {next_best:.3f} by the best of the others"
                found[at] = LeakFinding(columns.names[at], "far above the rest", words, is_leak=False)
            return


def _pairs(columns: _Columns, sample: LeakSample, settings: LeakSettings, found: dict[int, LeakFinding]) -> None:
    """Add what pairs of columns show; neither column is a leak by itself."""
    open_ = [at for at in range(len(columns.names)) if at not in found or not found[at].is_leak]
    for pair in pair_leaks(columns.X[:, open_], sample, columns.alone[open_, 0], settings):
        both = [open_[place] for place in pair.columns]
        for at, other in (both, reversed(both)):
            if at not in found or pair.is_leak:
                words = f"{pair.evidence}, with {columns.names[other]}"
                found[at] = LeakFinding(columns.names[at], pair.rule, words, pair.is_leak)


def _of_rows(
    dataset: Dataset, columns: _Columns, sample: LeakSample, settings: LeakSettings, found: dict[int, LeakFinding]
) -> Iterator[LeakFinding]:
    """Yield what the rows show: gaps, copies and their order."""
    gaps = ~np.isfinite(columns.X)
    some = [at for at in np.flatnonzero(gaps.any(axis=0) & ~gaps.all(axis=0)).tolist() if at not in found]
    if len(some) > 1:
        number = gaps[:, some].sum(axis=1).astype(np.float64)
        finding = _worst((*one, True) for one in _certain(number, sample, settings, 1))
        if finding is not None:
            yield LeakFinding(MISSING_CELLS, *finding)
    # Columns that know the outcome make rows of one outcome alike.
    rest = [at for at, name in enumerate(dataset.feature_names) if name not in {one.feature for one in found.values()}]
    unsuspected = dataset.columns(rest)
    finding = copied_rows(unsuspected, unsuspected, settings)
    if finding is not None:
        yield LeakFinding(ROWS, *finding)
    finding = telling_order(dataset, settings)
    if finding is not None:
        yield LeakFinding(ROW_ORDER, *finding)

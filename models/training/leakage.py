"""Find features that know the outcome. The check looks at values and outcomes, never at names.

A high AUC alone proves nothing: on a small sample an honest variable can reach 0.9. Honest variables do not have a
value that only defaulters have (a rating given after the event, a field filled in by the collections desk), do not
separate most defaulters without a single exception, and do not rank almost perfectly beyond any doubt of sampling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln
from scipy.stats import rankdata

from data_contracts.errors import GateFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.components.encoding import BoolArray, FloatArray
    from models.settings import LeakSettings
    from models.training.dataset import Dataset


class LeakFinding(NamedTuple):
    """A feature that counts as a leak, the rule that found it, and the evidence."""

    feature: str
    rule: str
    evidence: str


def find_leaks(dataset: Dataset, settings: LeakSettings) -> tuple[LeakFinding, ...]:
    """Return the findings of a labelled sample, in feature order, reviewed features left out."""
    bad = dataset.y == 1
    findings = []
    for position, name in enumerate(dataset.feature_names):
        if name in settings.reviewed:
            continue
        finding = next(_rules(dataset.X[:, position], bad, settings), None)
        if finding is not None:
            findings.append(LeakFinding(name, *finding))
    return tuple(findings)


def refuse_leaks(dataset: Dataset, settings: LeakSettings) -> None:
    """Check a labelled sample for leaks.

    Raises:
        GateFailed: there are findings; the message names every feature.
    """
    findings = find_leaks(dataset, settings)
    if findings:
        named = "; ".join(f"{finding.feature} ({finding.rule}: {finding.evidence})" for finding in findings)
        raise GateFailed(
            f"leak check failed: {named}; remedy: remove the features, or list them as reviewed with a written reason"
        )


def _rules(values: FloatArray, bad: BoolArray, settings: LeakSettings) -> Iterator[tuple[str, str]]:
    known = np.isfinite(values)
    groups = _Groups.of(np.where(known, values, np.inf), bad)
    yield from _pure_value(_Groups.of(known.astype(np.float64), bad), "presence", settings)
    yield from _pure_value(groups, "value", settings)
    # An amount that is nearly always zero can leak by being non-zero, just as a flag can.
    commonest = groups.level[int(np.argmax(groups.rows))]
    unusual = np.where(known, values, np.inf) != commonest
    yield from _pure_value(_Groups.of(unusual.astype(np.float64), bad), f"other than {commonest:.6g}", settings)
    yield from _pure_tail(groups, settings)
    yield from _near_perfect_ranking(values, bad, known, settings)


class _Groups(NamedTuple):
    """Rows and defaulters of each distinct value, in ascending order of values."""

    level: FloatArray
    rows: npt.NDArray[np.int64]
    bads: npt.NDArray[np.int64]

    @classmethod
    def of(cls, values: FloatArray, bad: BoolArray) -> _Groups:
        level, index = np.unique(values, return_inverse=True)
        return cls(level, np.bincount(index), np.bincount(index, weights=bad).astype(np.int64))


def _pure_value(groups: _Groups, what: str, settings: LeakSettings) -> Iterator[tuple[str, str]]:
    rows, all_bads = int(groups.rows.sum()), int(groups.bads.sum())
    all_goods = rows - all_bads
    only_bad = (groups.bads == groups.rows) & (
        groups.rows >= max(settings.fewest_rows, settings.value_share * all_bads)
    )
    only_good = (groups.bads == 0) & (groups.rows >= max(settings.fewest_rows, settings.good_share * all_goods))
    for chosen, side, total in ((only_bad, "defaulters", all_bads), (only_good, "non-defaulters", all_goods)):
        for position in np.flatnonzero(chosen):
            count = int(groups.rows[position])
            if _log_chance(count, total, rows) < np.log(settings.largest_probability):
                shown = _shown(groups.level[position], what)
                yield "pure value", f"{shown} for {count} rows, all of them {side}"


def _pure_tail(groups: _Groups, settings: LeakSettings) -> Iterator[tuple[str, str]]:
    rows, all_bads = int(groups.rows.sum()), int(groups.bads.sum())
    for end, step in (("lowest", 1), ("highest", -1)):
        group_rows, group_bads = groups.rows[::step], groups.bads[::step]
        pure = int(np.argmax(group_bads != group_rows))
        count = int(group_rows[:pure].sum())
        if count < max(settings.fewest_rows, settings.tail_share * all_bads):
            continue
        if _log_chance(count, all_bads, rows) < np.log(settings.largest_probability):
            yield "pure tail", f"the {count} {end} values, all of them of defaulters"


def _near_perfect_ranking(
    values: FloatArray, bad: BoolArray, known: BoolArray, settings: LeakSettings
) -> Iterator[tuple[str, str]]:
    bads, rows = int(bad[known].sum()), int(known.sum())
    if _log_chance(bads, bads, rows) > np.log(settings.largest_probability):
        return
    auc, error = _auc_and_error(values[known], bad[known])
    if auc - settings.standard_errors * error > settings.auc_limit:
        yield "near-perfect ranking", f"AUC {auc:.3f} by itself, standard error {error:.3f}"


def _log_chance(count: int, of_kind: int, rows: int) -> float:
    """Return the log-probability that ``count`` of ``rows`` drawn rows are all among the ``of_kind`` of one outcome."""
    return float(gammaln(of_kind + 1) - gammaln(of_kind - count + 1) - gammaln(rows + 1) + gammaln(rows - count + 1))


def _auc_and_error(values: FloatArray, bad: BoolArray) -> tuple[float, float]:
    """Return the AUC in the better direction, and its standard error.

    Method of DeLong, DeLong and Clarke-Pearson 1988, by midranks.
    """
    bads, goods = values[bad], values[~bad]
    both = rankdata(values)
    beaten_by_bad = (both[bad] - rankdata(bads)) / len(goods)
    beating_good = (both[~bad] - rankdata(goods)) / len(bads)
    auc = float(beaten_by_bad.mean())
    variance = _variance(beaten_by_bad) / len(bads) + _variance(beating_good) / len(goods)
    return max(auc, 1.0 - auc), float(np.sqrt(variance))


def _variance(values: FloatArray) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.25


def _shown(level: float, what: str) -> str:
    if what == "value":
        return "missing" if np.isinf(level) else f"value {level:.6g}"
    if what == "presence":
        return "known" if level == 1.0 else "missing"
    return what if level == 1.0 else f"not {what}"

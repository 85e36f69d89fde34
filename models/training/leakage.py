"""Find features that know the outcome. The check looks at values and outcomes, never at names.

A high AUC alone proves nothing: on a small sample an honest variable can reach 0.9. Honest variables do not have a
value that only defaulters have (a rating given after the event, a field filled in by the collections desk), do not
separate most defaulters without a single exception, and do not rank almost perfectly beyond any doubt of sampling.

What chance can do is counted in sellers, not in rows: several dates of one seller tell one story.
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
    sample = _Sample.of(dataset)
    findings = []
    for position, name in enumerate(dataset.feature_names):
        if name in settings.reviewed:
            continue
        finding = next(_rules(dataset.X[:, position], sample, settings), None)
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


class _Sample(NamedTuple):
    """Whose row each row is, and whether it is one of a defaulter; ``seller`` numbers the sellers."""

    bad: BoolArray
    seller: npt.NDArray[np.int64]

    @classmethod
    def of(cls, dataset: Dataset) -> _Sample:
        return cls(dataset.y == 1, np.unique(dataset.seller_id, return_inverse=True)[1].astype(np.int64))

    def chance_allows(self, chosen: BoolArray, *, of_bad: bool, among: BoolArray, settings: LeakSettings) -> bool:
        """Return whether chance may pick the sellers of the chosen rows, all of one kind, from those of ``among``.

        A seller with a row of a defaulter is a defaulter; the others are not.
        """
        is_kind = np.isin(self.seller, self.seller[self.bad & among]) == of_bad
        sets = (chosen & is_kind, is_kind & among, among)
        count, of_kind, all_sellers = (len(np.unique(self.seller[rows])) for rows in sets)
        return bool(_log_chance(count, of_kind, all_sellers) >= np.log(settings.largest_probability))


def _rules(values: FloatArray, sample: _Sample, settings: LeakSettings) -> Iterator[tuple[str, str]]:
    known = np.isfinite(values)
    filled = np.where(known, values, np.inf)
    groups = _Groups.of(filled, sample.bad)
    yield from _pure_value(known.astype(np.float64), sample, "presence", settings)
    yield from _pure_value(filled, sample, "value", settings)
    # An amount that is nearly always zero can leak by being non-zero, just as a flag can.
    commonest = groups.level[int(np.argmax(groups.rows))]
    yield from _pure_value((filled != commonest).astype(np.float64), sample, f"other than {commonest:.6g}", settings)
    yield from _pure_tail(filled, sample, settings)
    yield from _near_perfect_ranking(values, sample, known, settings)


class _Groups(NamedTuple):
    """Rows and defaulters of each distinct value, in ascending order of values."""

    level: FloatArray
    rows: npt.NDArray[np.int64]
    bads: npt.NDArray[np.int64]

    @classmethod
    def of(cls, values: FloatArray, bad: BoolArray) -> _Groups:
        level, index = np.unique(values, return_inverse=True)
        return cls(level, np.bincount(index), np.bincount(index, weights=bad).astype(np.int64))


def _pure_value(values: FloatArray, sample: _Sample, what: str, settings: LeakSettings) -> Iterator[tuple[str, str]]:
    groups = _Groups.of(values, sample.bad)
    all_bads = int(groups.bads.sum())
    all_goods = int(groups.rows.sum()) - all_bads
    only_bad = (groups.bads == groups.rows) & (
        groups.rows >= max(settings.fewest_rows, settings.value_share * all_bads)
    )
    only_good = (groups.bads == 0) & (groups.rows >= max(settings.fewest_rows, settings.good_share * all_goods))
    everyone = np.ones(len(values), dtype=np.bool_)
    for chosen, side in ((only_bad, "defaulters"), (only_good, "non-defaulters")):
        for position in np.flatnonzero(chosen):
            rows = values == groups.level[position]
            if not sample.chance_allows(rows, of_bad=side == "defaulters", among=everyone, settings=settings):
                shown = _shown(groups.level[position], what)
                yield "pure value", f"{shown} for {groups.rows[position]} rows, all of them {side}"


def _pure_tail(values: FloatArray, sample: _Sample, settings: LeakSettings) -> Iterator[tuple[str, str]]:
    groups = _Groups.of(values, sample.bad)
    everyone = np.ones(len(values), dtype=np.bool_)
    for end, step in (("lowest", 1), ("highest", -1)):
        levels = groups.level[::step]
        pure = int(np.argmax((groups.bads != groups.rows)[::step]))
        in_tail = np.isin(values, levels[:pure])
        count = int(in_tail.sum())
        if count < max(settings.fewest_rows, settings.tail_share * int(groups.bads.sum())):
            continue
        if not sample.chance_allows(in_tail, of_bad=True, among=everyone, settings=settings):
            yield "pure tail", f"the {count} {end} values, all of them of defaulters"


def _near_perfect_ranking(
    values: FloatArray, sample: _Sample, known: BoolArray, settings: LeakSettings
) -> Iterator[tuple[str, str]]:
    if sample.chance_allows(sample.bad & known, of_bad=True, among=known, settings=settings):
        return
    auc, error = _auc_and_error(values[known], sample.bad[known], sample.seller[known])
    if auc - settings.standard_errors * error > settings.auc_limit:
        yield "near-perfect ranking", f"AUC {auc:.3f} by itself, standard error {error:.3f}"


def _log_chance(count: int, of_kind: int, rows: int) -> float:
    """Return the log-probability that ``count`` of ``rows`` drawn rows are all among the ``of_kind`` of one outcome."""
    return float(gammaln(of_kind + 1) - gammaln(of_kind - count + 1) - gammaln(rows + 1) + gammaln(rows - count + 1))


def _auc_and_error(values: FloatArray, bad: BoolArray, seller: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Return the AUC in the better direction, and its standard error with rows clustered by seller.

    Method of DeLong, DeLong and Clarke-Pearson 1988, by midranks; the variance by clusters as in Obuchowski 1997.
    """
    bads, goods = values[bad], values[~bad]
    both = rankdata(values)
    beaten_by_bad = (both[bad] - rankdata(bads)) / len(goods)
    beating_good = (both[~bad] - rankdata(goods)) / len(bads)
    auc = float(beaten_by_bad.mean())
    variance = _variance_of_mean(beaten_by_bad, seller[bad]) + _variance_of_mean(beating_good, seller[~bad])
    return max(auc, 1.0 - auc), float(np.sqrt(variance))


def _variance_of_mean(values: FloatArray, cluster: npt.NDArray[np.int64]) -> float:
    """Return the variance of a mean whose values of one cluster may move together."""
    numbers, place = np.unique(cluster, return_inverse=True)
    count = len(numbers)
    if count < 2:
        return 0.25
    sums = np.bincount(place, weights=values - values.mean())
    return float(count / (count - 1) * np.square(sums).sum() / len(values) ** 2)


def _shown(level: float, what: str) -> str:
    if what == "value":
        return "missing" if np.isinf(level) else f"value {level:.6g}"
    if what == "presence":
        return "known" if level == 1.0 else "missing"
    return what if level == 1.0 else f"not {what}"

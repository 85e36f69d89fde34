"""What the leak check looks at: outcomes by seller, groups of equal values, and what chance can do.

Chance is counted in sellers, not in rows: several dates of one seller tell one story. What is learned on one half of
the rows and judged on the other keeps related sellers together, since they tell one story too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, ndtri

if TYPE_CHECKING:
    from models.components.encoding import BoolArray, FloatArray
    from models.settings import LeakSettings
    from models.training.dataset import Dataset


class LeakSample(NamedTuple):
    """Whose row each row is, and whether it is one of a defaulter; ``seller`` numbers the sellers.

    ``is_learned`` marks the half on which a rule may learn. No group of related sellers has rows in both halves.
    """

    bad: BoolArray
    seller: npt.NDArray[np.int64]
    is_learned: BoolArray

    @classmethod
    def of(cls, dataset: Dataset) -> LeakSample:
        """Return what the check needs of a labelled sample."""
        seller, component = (
            np.unique(ids, return_inverse=True)[1].astype(np.int64) for ids in (dataset.seller_id, dataset.component_id)
        )
        return cls(dataset.y == 1, seller, _half_of_the_groups(component))

    def rows(self, chosen: npt.NDArray[np.int64]) -> LeakSample:
        """Return some of the rows."""
        return LeakSample(self.bad[chosen], self.seller[chosen], self.is_learned[chosen])

    def of_seller(self, chosen: BoolArray) -> npt.NDArray[np.int64]:
        """Return how many of the chosen rows each seller has."""
        return np.bincount(self.seller[chosen], minlength=int(self.seller.max()) + 1)

    def sellers(self, chosen: BoolArray) -> int:
        """Return how many sellers the chosen rows are of."""
        return int(np.count_nonzero(self.of_seller(chosen)))

    def chance_allows(self, chosen: BoolArray, *, of_bad: bool, among: BoolArray, settings: LeakSettings) -> bool:
        """Return whether chance may pick the sellers of the chosen rows, all of one kind, from those of ``among``.

        A seller with a row of a defaulter is a defaulter; the others are not.
        """
        is_kind = (self.of_seller(self.bad & among) > 0)[self.seller] == of_bad
        sets = (chosen & is_kind, is_kind & among, among)
        count, of_kind, all_sellers = (self.sellers(rows) for rows in sets)
        return bool(log_chance(count, of_kind, all_sellers) >= np.log(settings.largest_probability))


def _half_of_the_groups(group: npt.NDArray[np.int64]) -> BoolArray:
    """Return which rows are in the first half: the largest group first, each goes where fewer rows are so far."""
    sizes = np.bincount(group)
    is_first = np.zeros(len(sizes), dtype=np.bool_)
    lead = 0
    for at in np.argsort(-sizes, kind="stable").tolist():
        is_first[at] = lead <= 0
        lead += int(sizes[at]) if is_first[at] else -int(sizes[at])
    return np.asarray(is_first[group])


class ValueGroups(NamedTuple):
    """Rows and defaulters of each distinct value, in ascending order of values."""

    level: FloatArray
    rows: npt.NDArray[np.int64]
    bads: npt.NDArray[np.int64]

    @classmethod
    def of(cls, values: FloatArray, bad: BoolArray) -> ValueGroups:
        """Count rows and defaulters of each distinct value."""
        level, index = np.unique(values, return_inverse=True)
        return cls(level, np.bincount(index), np.bincount(index, weights=bad).astype(np.int64))


class Ordered(NamedTuple):
    """The known values of a column in ascending order, with the sample's rows in that order, and groups of equals."""

    level: FloatArray
    part: LeakSample
    groups: ValueGroups

    @classmethod
    def of(cls, values: FloatArray, sample: LeakSample) -> Ordered:
        """Sort the known values of a column."""
        known = np.flatnonzero(np.isfinite(values))
        order = known[np.argsort(values[known], kind="stable")]
        level, part = values[order], sample.rows(order)
        first = np.flatnonzero(np.concatenate([np.ones(min(len(level), 1), np.bool_), level[1:] != level[:-1]]))
        ends = np.append(first[1:], len(level)) if len(first) else first
        bads = np.concatenate([[0], np.cumsum(part.bad)])
        return cls(level, part, ValueGroups(level[first], ends - first, bads[ends] - bads[first]))


def log_chance(count: int, of_kind: int, rows: int) -> float:
    """Return the log-probability that ``count`` of ``rows`` drawn rows are all among the ``of_kind`` of one outcome."""
    return float(gammaln(of_kind + 1) - gammaln(of_kind - count + 1) - gammaln(rows + 1) + gammaln(rows - count + 1))


def auc_and_error(values: FloatArray, bad: BoolArray, seller: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Return the AUC in the better direction, and its standard error with rows clustered by seller.

    Method of DeLong, DeLong and Clarke-Pearson 1988, by midranks; the variance by clusters as in Obuchowski 1997.
    """
    _, level, rows = np.unique(values, return_inverse=True, return_counts=True)
    bads = np.bincount(level, weights=bad, minlength=len(rows))
    goods = rows - bads
    beaten_by_bad = ((np.cumsum(goods) - 0.5 * goods) / goods.sum())[level[bad]]
    beating_good = ((np.cumsum(bads) - 0.5 * bads) / bads.sum())[level[~bad]]
    auc = float(beaten_by_bad.mean())
    variance = _variance_of_mean(beaten_by_bad, seller[bad]) + _variance_of_mean(beating_good, seller[~bad])
    return max(auc, 1.0 - auc), float(np.sqrt(variance))


def separation(auc: npt.ArrayLike) -> FloatArray:
    """Return the distance between two normal distributions of equal spread that have this AUC.

    On this scale a step from 0.95 to 0.99 counts more than one from 0.55 to 0.59. An AUC of 1 counts as 0.9999.
    """
    return np.asarray(np.sqrt(2.0) * ndtri(np.minimum(auc, 0.9999)))


def _variance_of_mean(values: FloatArray, cluster: npt.NDArray[np.int64]) -> float:
    """Return the variance of a mean whose values of one cluster may move together."""
    rows = np.bincount(cluster)
    count = int(np.count_nonzero(rows))
    if count < 2:
        return 0.25
    sums = np.bincount(cluster, weights=values - values.mean())
    return float(count / (count - 1) * np.square(sums).sum() / len(values) ** 2)


def auc_of_cells(
    bads: npt.NDArray[np.floating | np.integer],
    rows: npt.NDArray[np.floating | np.integer],
    held_bads: npt.NDArray[np.floating | np.integer],
    held_rows: npt.NDArray[np.floating | np.integer],
) -> FloatArray:
    """Return the AUC on held-out rows of ranking cells (..., cells) by their default rates among other rows."""
    base = bads.sum(axis=-1, keepdims=True) / np.maximum(rows.sum(axis=-1, keepdims=True), 1.0)
    order = np.argsort((bads + base) / (rows + 1.0), axis=-1, kind="stable")
    bad = np.take_along_axis(held_bads, order, axis=-1)
    good = np.take_along_axis(held_rows - held_bads, order, axis=-1)
    wins = (bad * (np.cumsum(good, axis=-1) - 0.5 * good)).sum(axis=-1)
    return np.asarray(wins / np.maximum(bad.sum(axis=-1) * good.sum(axis=-1), 1.0))

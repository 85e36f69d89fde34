"""What the leak check looks at: outcomes by seller, groups of equal values, and what chance can do.

Chance is counted in sellers, not in rows: several dates of one seller tell one story.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln
from scipy.stats import rankdata

if TYPE_CHECKING:
    from models.components.encoding import BoolArray, FloatArray
    from models.settings import LeakSettings
    from models.training.dataset import Dataset


class LeakSample(NamedTuple):
    """Whose row each row is, and whether it is one of a defaulter; ``seller`` numbers the sellers."""

    bad: BoolArray
    seller: npt.NDArray[np.int64]

    @classmethod
    def of(cls, dataset: Dataset) -> LeakSample:
        """Return what the check needs of a labelled sample."""
        return cls(dataset.y == 1, np.unique(dataset.seller_id, return_inverse=True)[1].astype(np.int64))

    def rows(self, chosen: npt.NDArray[np.int64]) -> LeakSample:
        """Return some of the rows."""
        return LeakSample(self.bad[chosen], self.seller[chosen])

    def chance_allows(self, chosen: BoolArray, *, of_bad: bool, among: BoolArray, settings: LeakSettings) -> bool:
        """Return whether chance may pick the sellers of the chosen rows, all of one kind, from those of ``among``.

        A seller with a row of a defaulter is a defaulter; the others are not.
        """
        is_kind = np.isin(self.seller, self.seller[self.bad & among]) == of_bad
        sets = (chosen & is_kind, is_kind & among, among)
        count, of_kind, all_sellers = (len(np.unique(self.seller[rows])) for rows in sets)
        return bool(log_chance(count, of_kind, all_sellers) >= np.log(settings.largest_probability))


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


def log_chance(count: int, of_kind: int, rows: int) -> float:
    """Return the log-probability that ``count`` of ``rows`` drawn rows are all among the ``of_kind`` of one outcome."""
    return float(gammaln(of_kind + 1) - gammaln(of_kind - count + 1) - gammaln(rows + 1) + gammaln(rows - count + 1))


def auc_and_error(values: FloatArray, bad: BoolArray, seller: npt.NDArray[np.int64]) -> tuple[float, float]:
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

"""Weights that remove the mix of ages and seasons: growing counters are compared at equal age, December with December.

Training observations come from many quarter ends, and applicants from one. Sellers have grown older since and sell more
before Christmas, which is no drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from models.evaluation.drift import Evidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.components.encoding import FloatArray
    from models.training.dataset import Dataset

AGE: Final = "platform_sales_first_days"
"""Feature that states the age of a seller."""
AGE_BANDS: Final = 8
FEWEST_SELLERS: Final = 300
"""Sellers observed in the season of the applicants from which the rows of other seasons are left out."""


@dataclass(frozen=True)
class Comparable:
    """The reference rows that are compared, and what they know.

    Attributes:
        rows: positions of the rows that count.
        evidence: their weights, and how many equally weighted sellers know as much.
        is_same_season: whether only rows of the applicants' season count.
        is_age_weighted: whether ages were weighted.
    """

    rows: NDArray[np.int64]
    evidence: Evidence
    is_same_season: bool
    is_age_weighted: bool


def comparable_rows(
    reference: Dataset, names: tuple[str, ...], current: FloatArray, day: np.datetime64 | None
) -> Comparable:
    """Return the rows of the reference in the season of ``day``, weighted to the ages of the applicants.

    Args:
        reference: the training observations.
        names: of the columns.
        current: features of the applicants (m, p).
        day: the date on which they are scored; None keeps all seasons.
    """
    rows = np.arange(reference.n)
    same = rows if day is None else np.flatnonzero(_month(reference.as_of) == _month(np.array([day]))[0])
    is_same_season = len(same) < len(rows) and len(np.unique(reference.seller_id[same])) >= FEWEST_SELLERS
    rows = same if is_same_season else rows
    weights = np.ones(len(rows))
    is_age_weighted = AGE in names and len(current) > 0
    if is_age_weighted:
        place = names.index(AGE)
        weights = age_weights(reference.X[rows, place], current[:, place])
        rows, weights = rows[weights > 0], weights[weights > 0]
    sellers = len(np.unique(reference.seller_id[rows]))
    # Kish's effective sample size, for sellers instead of rows.
    share = float(weights.sum() ** 2 / (len(weights) * (weights**2).sum())) if len(weights) else 0.0
    evidence = Evidence(max(1, round(sellers * share)), weights)
    return Comparable(rows, evidence, is_same_season, is_age_weighted)


def age_weights(reference: FloatArray, current: FloatArray) -> FloatArray:
    """Return weights of the reference rows under which its ages are distributed as the current ones.

    Ages are cut into bands of equally many applicants; a missing age is a band of its own. Reference rows of a band
    without applicants have weight zero.
    """
    known = current[~np.isnan(current)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, AGE_BANDS + 1)[1:-1])) if known.size else np.empty(0)
    bands = [
        np.where(np.isnan(ages), len(edges) + 1, np.searchsorted(edges, np.nan_to_num(ages), side="left"))
        for ages in (reference, current)
    ]
    before, now = (np.bincount(band, minlength=len(edges) + 2) / max(1, len(band)) for band in bands)
    factor = np.divide(now, before, out=np.zeros_like(now), where=before > 0)
    weights: FloatArray = factor[bands[0]]
    return weights


def _month(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return days.astype("datetime64[M]").astype(np.int64) % 12

"""From log-odds to points and grades, with integers that add up exactly."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.components.encoding import FloatArray

IntArray = npt.NDArray[np.int32]


class IssuedPoints(NamedTuple):
    """Integer points of a batch: ``score == base_points + points.sum(axis=1)`` in every row.

    ``base_points`` is the same for every row; ``points`` is (n, p) int32 in feature order; ``score`` is (n,) int32.
    """

    base_points: int
    points: IntArray
    score: IntArray


class PointsScale(BaseModel):
    """Points to double the odds (PDO): ``base_score`` means good:bad odds of ``base_odds`` to one.

    score = base_score + factor * (ln(odds of no default) - ln(base_odds)) with factor = points_to_double_odds / ln 2.
    A higher score means less risk. Nothing is clipped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    base_score: float = 600.0
    base_odds: float = Field(default=30.0, gt=0)
    points_to_double_odds: float = Field(default=40.0, gt=0)

    @property
    def factor(self) -> float:
        """Points per unit of log-odds."""
        return self.points_to_double_odds / math.log(2.0)

    def exact_score(self, log_odds: FloatArray) -> FloatArray:
        """Return the score before rounding, for log-odds of default of any shape."""
        return np.asarray(self.base_score - self.factor * (log_odds + math.log(self.base_odds)), dtype=np.float64)

    def score(self, log_odds: FloatArray) -> IntArray:
        """Return the issued integer score (halves round to even) for finite log-odds of default."""
        exact = self.exact_score(log_odds)
        if not np.isfinite(exact).all():
            raise ValueError("a row without finite log-odds has no score; refuse it before points are issued")
        return np.rint(exact).astype(np.int32)

    def issue_points(self, base: float, values: FloatArray, log_odds: FloatArray) -> IssuedPoints:
        """Turn contributions in log-odds into integers that add up to the score.

        ``base`` and ``values`` (n, p) are contributions to the log-odds of default ``log_odds`` (n,). Each feature
        first receives its exact points rounded down. What is then missing from the score is allotted one by one to the
        largest remainders, ties in feature order. A feature with a contribution of exactly zero receives nothing,
        unless no feature contributed.
        """
        score = self.score(log_odds)
        base_points = int(np.rint(self.exact_score(np.asarray(base))))
        exact = -self.factor * values
        whole = np.floor(exact)
        shortfall = score.astype(np.int64) - base_points - whole.sum(axis=1).astype(np.int64)
        points = whole.astype(np.int64) + _largest_remainder(exact - whole, exact != 0.0, shortfall)
        return IssuedPoints(base_points, points.astype(np.int32), score)


def _largest_remainder(
    remainder: FloatArray, contributed: npt.NDArray[np.bool_], shortfall: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Allot ``shortfall`` (n,), of any sign and size, over the columns of ``remainder`` (n, p)."""
    somebody = np.asarray(contributed.any(axis=1))
    used = contributed.any(axis=0)
    if somebody.all() and not used.all():
        # A column that never contributes receives nothing; without it there is less to sort.
        allotted = np.zeros(remainder.shape, dtype=np.int64)
        allotted[:, used] = _largest_remainder(remainder[:, used], contributed[:, used], shortfall)
        return allotted
    eligible = contributed | ~somebody[:, None]
    count = eligible.sum(axis=1)
    everybody, extra = np.divmod(shortfall, np.maximum(count, 1))
    order = np.argsort(np.where(eligible, -remainder, np.inf), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(remainder.shape[1])[None, :], axis=1)
    return np.asarray(eligible * (everybody[:, None] + (rank < extra[:, None])), dtype=np.int64)


def weight_of_group(groups: Sequence[str], name: str, values: FloatArray) -> float:
    """Return the mean absolute sum of a group's columns of ``values`` (n, p), in points or in log-odds."""
    chosen = [column for column, group in enumerate(groups) if group == name]
    return float(np.abs(values[:, chosen].sum(axis=1)).mean())


def points_by_group(points: IntArray, groups: Sequence[str]) -> dict[str, IntArray]:
    """Sum points (n, p) over columns of the same group; groups in order of first appearance, each (n,)."""
    if points.shape[1] != len(groups):
        raise ValueError(f"{points.shape[1]} columns of points but {len(groups)} group names")
    names = np.asarray(groups)
    return {group: points[:, names == group].sum(axis=1, dtype=np.int32) for group in dict.fromkeys(groups)}


class GradeScale(BaseModel):
    """Master scale of performing grades: grade i holds probabilities up to and including ``upper_bounds[i]``."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    names: tuple[str, ...] = ("A1", "A2", "A3", "B1", "B2", "B3", "C1", "C2", "C3")
    upper_bounds: tuple[float, ...] = (0.003, 0.006, 0.012, 0.020, 0.035, 0.060, 0.100, 0.180, 1.0)

    @model_validator(mode="after")
    def _orderly(self) -> Self:
        if len(self.names) != len(self.upper_bounds) or len(set(self.names)) != len(self.names):
            raise ValueError("a grade scale needs one distinct name for each upper bound")
        if len(self.names) < 7:
            raise ValueError("a grade scale needs at least seven performing grades")
        if any(a >= b for a, b in zip(self.upper_bounds, self.upper_bounds[1:], strict=False)):
            raise ValueError("upper bounds of grades must rise")
        if self.upper_bounds[0] <= 0.0 or self.upper_bounds[-1] != 1.0:
            raise ValueError("upper bounds of grades must start above 0 and end at 1")
        return self

    def index_of(self, probability: FloatArray) -> npt.NDArray[np.int64]:
        """Return the position (0 = best) of the grade of each probability of default."""
        if not ((probability >= 0.0) & (probability <= 1.0)).all():
            raise ValueError("a probability of default must be between 0 and 1")
        return np.searchsorted(np.asarray(self.upper_bounds), probability, side="left").astype(np.int64)

    def grade_of(self, probability: float) -> str:
        """Return the name of the grade of one probability of default."""
        return self.names[int(self.index_of(np.asarray([probability]))[0])]

    def grades_of(self, probability: FloatArray) -> list[str]:
        """Return the grade names of probabilities of default (n,)."""
        return [self.names[i] for i in self.index_of(probability)]

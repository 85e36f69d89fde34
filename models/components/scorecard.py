"""The scorecard component: a logistic regression on binned evidence, additive by construction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.linalg import solve_triangular
from scipy.optimize import nnls
from scipy.special import expit, logit

from models.components.additive import require_columns, sum_of_contributions
from models.components.binning import BinnedColumn, BinningSettings, bin_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.components.encoding import FloatArray

_MOST_STEPS = 60
_SMALLEST_SHARE_OF_STEP = 1e-6
_SMALLEST_GAIN = 1e-10


class ScorecardColumn(BaseModel):
    """Log-odds of each bin of one encoded column, and their mean over the training rows.

    Bin i holds values up to and including ``edges[i]``, the last bin everything above. ``missing`` are the log-odds of
    NaN, written only where they are not 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    edges: tuple[float, ...]
    log_odds: tuple[float, ...]
    mean: float
    missing: float = Field(default=0.0, exclude_if=lambda value: value == 0.0)

    @model_validator(mode="after")
    def _orderly(self) -> Self:
        if len(self.log_odds) != len(self.edges) + 1:
            raise ValueError("a scorecard column has one bin more than edges")
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("edges of a scorecard column must rise")
        return self


class ScorecardTable(BaseModel):
    """A whole scorecard as data, as written into a bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    intercept: float
    columns: tuple[ScorecardColumn, ...]


@dataclass(frozen=True)
class ScorecardComponent:
    """A scorecard with margins and contributions; the base is the margin of the mean training seller."""

    table: ScorecardTable
    kind: ClassVar[str] = "scorecard"

    @property
    def column_count(self) -> int:
        """Number of encoded columns."""
        return len(self.table.columns)

    @cached_property
    def _base(self) -> float:
        total = self.table.intercept
        for column in self.table.columns:
            total += column.mean
        return total

    def margin(self, encoded: FloatArray) -> FloatArray:
        """Return the raw log-odds (n,) of encoded rows (n, q)."""
        return sum_of_contributions(*self.contributions(encoded))

    def contributions(self, encoded: FloatArray) -> tuple[float, FloatArray]:
        """Return the base and, for each row and column, the bin's log-odds minus the column's mean (n, q)."""
        require_columns(encoded, self.column_count, "scorecard")
        values = np.empty(encoded.shape)
        for position, column in enumerate(self.table.columns):
            bins = np.searchsorted(np.asarray(column.edges), encoded[:, position], side="left")
            known = np.asarray(column.log_odds)[bins]
            values[:, position] = np.where(np.isnan(encoded[:, position]), column.missing, known) - column.mean
        return self._base, values


def fit_scorecard(
    encoded: FloatArray,
    y: npt.NDArray[np.integer],
    directions: Sequence[int],
    penalty: float,
    binning: BinningSettings | None = None,
) -> ScorecardComponent:
    """Bin ``encoded`` (n, q) and fit the weights of the evidence; ``penalty`` is the ridge on the weights."""
    columns = bin_columns(encoded, y, directions, binning or BinningSettings())
    evidence = evidence_matrix(columns, encoded)
    intercept, weights = fit_weights(evidence, y, penalty)
    return assemble_scorecard(columns, evidence, intercept, weights)


def evidence_matrix(columns: Sequence[BinnedColumn], encoded: FloatArray) -> FloatArray:
    """Return the evidence (n, q) of encoded rows."""
    if not columns:
        return np.empty((len(encoded), 0))
    return np.column_stack([column.transform(encoded[:, i]) for i, column in enumerate(columns)])


def fit_weights(
    evidence: FloatArray,
    y: npt.NDArray[np.integer],
    penalty: float,
    start: tuple[float, FloatArray] | None = None,
) -> tuple[float, FloatArray]:
    """Fit a ridge logistic regression with non-negative weights; return intercept and weights (q,).

    A negative weight would reverse the declared direction of a column. Newton's method: each quadratic step is a
    non-negative least-squares problem, halved until the penalised loss falls. Results are rounded to nine decimals, far
    above the error of the method, so that they do not depend on how the linear algebra is split over threads.
    ``start`` is where to begin; the solution for a neighbouring penalty saves steps.
    """
    target = np.asarray(y, dtype=np.float64)
    intercept, weights = start or (float(logit(target.mean())), np.zeros(evidence.shape[1]))
    loss = _loss(evidence, target, penalty, intercept, weights)
    for _ in range(_MOST_STEPS):
        next_intercept, next_weights = _newton_step(evidence, target, penalty, intercept, weights)
        share, gain = 1.0, -1.0
        while share > _SMALLEST_SHARE_OF_STEP and gain < 0.0:
            candidate = (intercept + share * (next_intercept - intercept), weights + share * (next_weights - weights))
            gain = loss - _loss(evidence, target, penalty, *candidate)
            share /= 2.0
        if gain >= 0.0:
            (intercept, weights), loss = candidate, loss - gain
        if gain <= _SMALLEST_GAIN:
            break
    return round(intercept, 9), np.round(weights, 9)


def _loss(evidence: FloatArray, y: FloatArray, penalty: float, intercept: float, weights: FloatArray) -> float:
    z = intercept + evidence @ weights
    return float(np.sum(np.logaddexp(0.0, z) - y * z)) + 0.5 * penalty * float(weights @ weights)


def _newton_step(
    evidence: FloatArray, y: FloatArray, penalty: float, intercept: float, weights: FloatArray
) -> tuple[float, FloatArray]:
    """Minimise the quadratic model of the loss over weights >= 0; the intercept is eliminated first."""
    width = evidence.shape[1]
    p = expit(intercept + evidence @ weights)
    curvature = np.maximum(p * (1.0 - p), 1e-9)
    working = curvature * (intercept + evidence @ weights) + y - p
    weighted = evidence * curvature[:, None]
    total, cross = float(curvature.sum()), weighted.sum(axis=0)
    right_intercept, right = float(working.sum()), evidence.T @ working
    hessian = evidence.T @ weighted + penalty * np.eye(width) - np.outer(cross, cross) / total
    root = np.linalg.cholesky(hessian)
    next_weights, _ = nnls(root.T, solve_triangular(root, right - cross * right_intercept / total, lower=True))
    return (right_intercept - float(cross @ next_weights)) / total, np.asarray(next_weights)


def assemble_scorecard(
    columns: Sequence[BinnedColumn], evidence: FloatArray, intercept: float, weights: FloatArray
) -> ScorecardComponent:
    """Build the scorecard from binned columns and their weights; a zero-weight column keeps one empty bin."""
    table = ScorecardTable(
        intercept=intercept,
        columns=tuple(_scorecard_column(column, evidence[:, i], float(weights[i])) for i, column in enumerate(columns)),
    )
    return ScorecardComponent(table)


def _scorecard_column(column: BinnedColumn, evidence: FloatArray, weight: float) -> ScorecardColumn:
    if weight == 0.0 or (len(column.evidence) == 1 and column.missing == 0.0):
        return ScorecardColumn(edges=(), log_odds=(0.0,), mean=0.0)
    return ScorecardColumn(
        edges=column.edges,
        log_odds=tuple(round(weight * value, 9) for value in column.evidence),
        mean=round(float(weight * evidence.mean()), 9),
        missing=round(weight * column.missing, 9) + 0.0,
    )

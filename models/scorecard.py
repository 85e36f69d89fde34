"""The scorecard component: a logistic regression on binned evidence, additive by construction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, model_validator
from scipy.optimize import minimize
from scipy.special import expit

from models.binning import BinnedColumn, BinningSettings, bin_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.encoding import FloatArray


class ScorecardColumn(BaseModel):
    """Log-odds of each bin of one encoded column, and their mean over the training rows.

    Bin i holds values up to and including ``edges[i]``, the last one everything above.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    edges: tuple[float, ...]
    log_odds: tuple[float, ...]
    mean: float

    @model_validator(mode="after")
    def _orderly(self) -> Self:
        if len(self.log_odds) != len(self.edges) + 1:
            raise ValueError("a scorecard column has one bin more than edges")
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("edges of a scorecard column must rise")
        return self


class ScorecardTable(BaseModel):
    """A whole scorecard as data: what is written into a bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    intercept: float
    columns: tuple[ScorecardColumn, ...]


@dataclass(frozen=True)
class ScorecardComponent:
    """A scorecard that gives margins and contributions; the base is the margin of the mean training seller."""

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
        """Gives raw log-odds (n,) of encoded rows (n, q)."""
        base, values = self.contributions(encoded)
        total = np.full(len(encoded), base)
        # Column after column, so that the sum of a row does not depend on the size of the batch.
        for column in range(values.shape[1]):
            total += values[:, column]
        return total

    def contributions(self, encoded: FloatArray) -> tuple[float, FloatArray]:
        """Gives the base and, per row and column, the bin's log-odds less the column's mean (n, q)."""
        if encoded.ndim != 2 or encoded.shape[1] != self.column_count:
            raise ValueError(
                f"matrix of shape {encoded.shape} does not have the scorecard's {self.column_count} columns"
            )
        values = np.empty(encoded.shape)
        for position, column in enumerate(self.table.columns):
            bins = np.searchsorted(np.asarray(column.edges), encoded[:, position], side="left")
            values[:, position] = np.asarray(column.log_odds)[bins] - column.mean
        return self._base, values


def fit_scorecard(
    encoded: FloatArray,
    y: npt.NDArray[np.integer],
    directions: Sequence[int],
    penalty: float,
    binning: BinningSettings | None = None,
) -> ScorecardComponent:
    """Bins ``encoded`` (n, q) and fits the weights of the evidence; ``penalty`` is the ridge on the weights."""
    columns = bin_columns(encoded, y, directions, binning or BinningSettings())
    evidence = evidence_matrix(columns, encoded)
    intercept, weights = fit_weights(evidence, y, penalty)
    return assemble_scorecard(columns, evidence, intercept, weights)


def evidence_matrix(columns: Sequence[BinnedColumn], encoded: FloatArray) -> FloatArray:
    """Gives the evidence (n, q) of encoded rows."""
    if not columns:
        return np.empty((len(encoded), 0))
    return np.column_stack([column.transform(encoded[:, i]) for i, column in enumerate(columns)])


def fit_weights(evidence: FloatArray, y: npt.NDArray[np.integer], penalty: float) -> tuple[float, FloatArray]:
    """Gives intercept and weights (q,) of a ridge logistic regression whose weights are never negative.

    A negative weight would turn the declared direction of a column around.
    """
    target = np.asarray(y, dtype=np.float64)
    width = evidence.shape[1]
    rate = float(target.mean())
    start = np.concatenate([[np.log(rate / (1.0 - rate))], np.full(width, 0.5)])

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        z = parameters[0] + evidence @ parameters[1:]
        error = expit(z) - target
        value = float(np.sum(np.logaddexp(0.0, z) - target * z)) + 0.5 * penalty * float(
            parameters[1:] @ parameters[1:]
        )
        gradient = np.concatenate([[error.sum()], evidence.T @ error + penalty * parameters[1:]])
        return value, gradient

    bounds = [(None, None)] + [(0.0, None)] * width
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-8}
    )
    return float(found.x[0]), np.asarray(found.x[1:], dtype=np.float64)


def assemble_scorecard(
    columns: Sequence[BinnedColumn], evidence: FloatArray, intercept: float, weights: FloatArray
) -> ScorecardComponent:
    """Makes the scorecard of binned columns and their weights; a column of weight zero keeps one empty bin."""
    table = ScorecardTable(
        intercept=intercept,
        columns=tuple(_scorecard_column(column, evidence[:, i], float(weights[i])) for i, column in enumerate(columns)),
    )
    return ScorecardComponent(table)


def _scorecard_column(column: BinnedColumn, evidence: FloatArray, weight: float) -> ScorecardColumn:
    if weight == 0.0 or len(column.evidence) == 1:
        return ScorecardColumn(edges=(), log_odds=(0.0,), mean=0.0)
    log_odds = tuple(weight * value for value in column.evidence)
    return ScorecardColumn(edges=column.edges, log_odds=log_odds, mean=float(weight * evidence.mean()))

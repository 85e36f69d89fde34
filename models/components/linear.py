"""The linear component: a logistic regression on rank-normalised columns, additive by construction.

Money and counts have heavy tails, and a missing value lies apart from all others. Raw values or plain standardisation
would let a few very large sellers set the scale for everyone. The normal score of a value's rank (van der Waerden 1952)
is monotone, has no tails, and places missing values by their share of the rows. It is stored at a few quantiles and
interpolated between them.

NaN, which only columns without a direction hold, has the score 0 and an indicator of its own. The indicator is 1 or 0,
less its mean: unlike a standardised one, it can show a large effect only if there are many gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import ndtri

from models.components.additive import require_columns, sum_of_contributions
from models.components.scorecard import fit_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from models.components.encoding import FloatArray

_PARTS = 16
_STEP_SHARE = 0.05


def _is_zero(value: float) -> bool:
    """Return whether an optional number of a document is not written, so that documents without it keep their bytes."""
    return value == 0.0


class NormalScale(BaseModel):
    """A rising piecewise-linear map from the values of one column to standard normal scores.

    ``scores[i]`` belongs to ``knots[i]``; values beyond the first or last knot take the score of that knot. Over the
    known values of training the scores have mean 0 and standard deviation 1. ``missing_share`` is the share of NaN.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    knots: tuple[float, ...] = Field(min_length=1)
    scores: tuple[float, ...]
    missing_share: float = Field(default=0.0, ge=0.0, le=1.0, exclude_if=_is_zero)

    @model_validator(mode="after")
    def _orderly(self) -> Self:
        if len(self.scores) != len(self.knots):
            raise ValueError("a scale has one score for each knot")
        if not np.isfinite(self.knots[-1] - self.knots[0]) or not np.isfinite(self.scores[-1] - self.scores[0]):
            raise ValueError("knots or scores of a scale lie too far apart")
        if any(a >= b for a, b in zip(self.knots, self.knots[1:], strict=False)):
            raise ValueError("knots of a scale must rise")
        if any(a > b for a, b in zip(self.scores, self.scores[1:], strict=False)):
            raise ValueError("scores of a scale must not fall")
        return self

    def transform(self, values: FloatArray) -> FloatArray:
        """Return the score of each value (n,), which never falls as the value rises, to the last bit; 0 for NaN."""
        knots, scores = np.asarray(self.knots), np.asarray(self.scores)
        if len(knots) == 1:
            return np.full(len(values), scores[0])
        piece = np.clip(np.searchsorted(knots, values, side="right") - 1, 0, len(knots) - 2)
        missing = np.isnan(values)
        inside = np.clip(np.where(missing, knots[0], values), knots[0], knots[-1])
        way = (inside - knots[piece]) / np.diff(knots)[piece]
        # Rounding may push the end of a piece past the start of the next one.
        line = np.minimum(scores[piece] + way * np.diff(scores)[piece], scores[piece + 1])
        return np.where(missing, 0.0, line)

    def gap_indicator(self, values: FloatArray) -> FloatArray:
        """Return 1 for NaN and 0 for a value (n,), less the share of NaN in training."""
        return np.isnan(values) - self.missing_share


class LinearColumn(BaseModel):
    """One encoded column: its scale, and what one standard deviation of it adds to the log-odds of default.

    ``gap`` is what a missing value adds, compared with a known one of score 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    scale: NormalScale
    coefficient: float
    gap: float = Field(default=0.0, exclude_if=_is_zero)


class LinearTable(BaseModel):
    """A whole linear component as data, as written into a bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    intercept: float
    columns: tuple[LinearColumn, ...]


@dataclass(frozen=True)
class LinearComponent:
    """A logistic regression with margins and contributions; the base is the margin of the mean training seller."""

    table: LinearTable
    kind: ClassVar[str] = "linear"

    @property
    def column_count(self) -> int:
        """Number of encoded columns."""
        return len(self.table.columns)

    def margin(self, encoded: FloatArray) -> FloatArray:
        """Return the raw log-odds (n,) of encoded rows (n, q)."""
        return sum_of_contributions(*self.contributions(encoded))

    def contributions(self, encoded: FloatArray) -> tuple[float, FloatArray]:
        """Return the base and, for each row and column, the coefficient times the score (n, q)."""
        require_columns(encoded, self.column_count, "linear component")
        values = np.zeros(encoded.shape)
        for position, column in enumerate(self.table.columns):
            if column.coefficient != 0.0:
                values[:, position] = column.coefficient * column.scale.transform(encoded[:, position])
            if column.gap != 0.0:
                values[:, position] += column.gap * column.scale.gap_indicator(encoded[:, position])
        return self.table.intercept, values


def fit_linear(
    encoded: FloatArray, y: npt.NDArray[np.integer], directions: Sequence[int], penalty: float
) -> LinearComponent:
    """Fit scales and coefficients on ``encoded`` (n, q) and outcomes ``y`` (n,), 1 = default.

    A coefficient is never negative where the direction is +1, never positive where it is -1, and free where it is 0.
    ``penalty`` is the ridge on the coefficients. They are rounded to nine decimals, as in a scorecard.
    """
    scales = normal_scales(encoded, directions)
    intercept, weights = fit_weights(risk_design(scales, encoded, directions), y, penalty)
    columns, rest = [], list(weights)
    for scale, direction in zip(scales, directions, strict=True):
        if direction != 0:
            columns.append(LinearColumn(scale=scale, coefficient=float(direction * rest.pop(0)) + 0.0))
        else:
            coefficient = _difference(rest)
            gap = _difference(rest) if scale.missing_share > 0.0 else 0.0
            columns.append(LinearColumn(scale=scale, coefficient=coefficient, gap=gap))
    return LinearComponent(LinearTable(intercept=intercept, columns=tuple(columns)))


def _difference(weights: list[float]) -> float:
    """Take the weights of a column and of its negative off a list; return their difference."""
    return round(float(weights.pop(0) - weights.pop(0)), 9) + 0.0  # + 0.0 turns -0.0 into 0.0


def risk_design(scales: Sequence[NormalScale], encoded: FloatArray, directions: Sequence[int]) -> FloatArray:
    """Return the scores of ``encoded`` (n, q), signed so that more means more risk, for non-negative weights.

    A column without direction appears twice, once with each sign; the ridge leaves weight on only one of them. So does
    the indicator of its gaps, if there were any.
    """
    columns = []
    for position, (scale, direction) in enumerate(zip(scales, directions, strict=True)):
        scores = scale.transform(encoded[:, position])
        columns += [direction * scores] if direction != 0 else [scores, -scores]
        if direction == 0 and scale.missing_share > 0.0:
            indicator = scale.gap_indicator(encoded[:, position])
            columns += [indicator, -indicator]
    return np.column_stack(columns) if columns else np.empty((len(encoded), 0))


def normal_scales(encoded: FloatArray, directions: Sequence[int]) -> tuple[NormalScale, ...]:
    """Fit the scale of each column of ``encoded`` (n, q)."""
    return tuple(_scale_of_known(encoded[:, i], direction) for i, direction in enumerate(directions))


def _scale_of_known(values: FloatArray, direction: int) -> NormalScale:
    known = values[~np.isnan(values)]
    if known.size == 0:
        return NormalScale(knots=(0.0,), scores=(0.0,), missing_share=1.0)
    scale = _normal_scale(np.sort(known), direction)
    return scale.model_copy(update={"missing_share": 1.0 - known.size / values.size})


def _normal_scale(ordered: FloatArray, direction: int) -> NormalScale:
    knots = _knots(ordered)
    if len(knots) == 1:
        return NormalScale(knots=tuple(knots.tolist()), scores=(0.0,))
    # A value's share of the sample: the rows below it and half of those equal to it.
    below, up_to = (np.searchsorted(ordered, knots, side=side) for side in ("left", "right"))
    scores = ndtri((below + up_to) / (2.0 * len(ordered)))
    raw = NormalScale(knots=tuple(knots.tolist()), scores=tuple(scores.tolist())).transform(ordered)
    scores = (scores - raw.mean()) / raw.std()
    knots, scores = _with_step_beyond(knots, scores, direction)
    return NormalScale(knots=tuple(knots.tolist()), scores=tuple(np.round(scores, 9).tolist()))


def _knots(ordered: FloatArray) -> FloatArray:
    """Return quantiles and ends of a column, and the value next to each end.

    An end may be the code of a missing value: no line may lead from there into the middle of the reported values.
    """
    last = len(ordered) - 1
    quantiles = ordered[np.arange(_PARTS + 1) * last // _PARTS]
    second = ordered[min(int(np.searchsorted(ordered, ordered[0], side="right")), last)]
    second_last = ordered[int(np.searchsorted(ordered, ordered[-1], side="left")) - 1]
    return np.unique(np.concatenate([quantiles, [second, second_last]]))


def _with_step_beyond(knots: FloatArray, scores: FloatArray, direction: int) -> tuple[FloatArray, FloatArray]:
    """Add a knot beyond the worst end, for values that were never missing in training but are missing now."""
    end = {1: -1, -1: 0}.get(direction)
    if end is None:
        return knots, scores
    outer = knots[end] + direction * _STEP_SHARE * (knots[-1] - knots[0])
    if not np.isfinite(outer) or outer == knots[end]:
        return knots, scores
    beyond = scores[end] + direction * _STEP_SHARE * (scores[-1] - scores[0])
    place = len(knots) if direction > 0 else 0
    return np.insert(knots, place, outer), np.insert(scores, place, beyond)

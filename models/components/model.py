"""A credit model: weighted additive components in log-odds, one calibrator, one points scale, one grade scale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from scipy.special import expit

from data_contracts.errors import InternalFault
from models.components.encoding import BoolArray, FeatureFacts, FloatArray, ModelFeature, encode_matrix
from models.components.scale import GradeScale, IntArray, IssuedPoints, PointsScale

if TYPE_CHECKING:
    import numpy.typing as npt

    from models.components.calibration import AffineCalibrator

__all__ = ["Component", "Contributions", "CreditModel", "FeatureFacts", "GradeScale", "ModelFeature", "PointsScale"]

_ADDITIVITY_TOLERANCE = 1e-9


class Contributions(NamedTuple):
    """What each feature adds to the calibrated log-odds of default.

    ``base + values.sum(axis=1)`` equals ``log_odds`` within 1e-9. ``values`` is (n, p) in feature order. A row that may
    not be scored is NaN throughout.
    """

    base: float
    values: FloatArray
    log_odds: FloatArray


class Component(Protocol):
    """One additive part of a model, which takes encoded columns (n, q)."""

    @property
    def kind(self) -> str:
        """Name of the component's form, such as ``lightgbm`` or ``scorecard``."""
        ...

    def margin(self, encoded: FloatArray) -> FloatArray:
        """Return the raw log-odds of default (n,)."""
        ...

    def contributions(self, encoded: FloatArray) -> tuple[float, FloatArray]:
        """Return base and contributions (n, q) that add up to the margin."""
        ...


@dataclass(frozen=True)
class CreditModel:
    """The probability of default of a seller, and the contributions that add up to it.

    Every method takes ``X``: float64 (n, p), columns in the order of ``features``, NaN where a value is missing. Every
    number of a row depends on that row alone, bit for bit, whatever the size or order of the batch.
    """

    features: tuple[ModelFeature, ...]
    components: tuple[Component, ...]
    weights: tuple[float, ...]
    calibrator: AffineCalibrator
    scale: PointsScale
    grades: GradeScale

    def __post_init__(self) -> None:
        if not self.components or len(self.components) != len(self.weights):
            raise ValueError("a model needs at least one component and one weight for each")
        if any(not 0.0 <= weight < np.inf for weight in self.weights):
            # A negative weight would reverse a component's monotone directions.
            raise ValueError("weights of components must be finite and not negative")

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of ``X``, in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def _source_of_column(self) -> npt.NDArray[np.intp]:
        return np.asarray([i for i, feature in enumerate(self.features) for _ in feature.columns], dtype=np.intp)

    def encode(self, X: FloatArray) -> FloatArray:
        """Return the encoded columns (n, q): clipped to the training range, missing beyond its worst end."""
        return encode_matrix(self.features, X, order="F")

    def missing_required(self, X: FloatArray) -> BoolArray:
        """Return (n,) which rows lack a feature without direction; they must be refused, their results are NaN."""
        missing = np.zeros(len(X), dtype=np.bool_)
        for index, feature in enumerate(self.features):
            if feature.treatment == "free":
                missing |= ~np.isfinite(X[:, index])
        return missing

    def margin(self, X: FloatArray) -> FloatArray:
        """Return the raw margin (n,): the weighted sum of the components, before calibration."""
        return self._margin(X, self.encode(X))

    def _margin(self, X: FloatArray, encoded: FloatArray) -> FloatArray:
        total = np.zeros(len(X))
        for component, weight in zip(self.components, self.weights, strict=True):
            total += weight * component.margin(encoded)
        total[self.missing_required(X)] = np.nan
        return total

    def log_odds(self, X: FloatArray) -> FloatArray:
        """Return the calibrated log-odds of default (n,)."""
        return self.calibrator.log_odds(self.margin(X))

    def probability(self, X: FloatArray) -> FloatArray:
        """Return the calibrated probability of default (n,) within the performance window."""
        return np.asarray(expit(self.log_odds(X)), dtype=np.float64)

    def score(self, X: FloatArray) -> IntArray:
        """Return the issued integer score (n,), equal to that of ``issue_points``.

        Raises:
            ValueError: a row may not be scored.
        """
        return self.scale.score(self.log_odds(X))

    def contributions(self, X: FloatArray) -> Contributions:
        """Return what each feature adds to the calibrated log-odds.

        Raises:
            InternalFault: the contributions do not add up to the log-odds.
        """
        return self.margin_and_contributions(X)[1]

    def margin_and_contributions(self, X: FloatArray) -> tuple[FloatArray, Contributions]:
        """Return the raw margin (n,) and what each feature adds, encoding the rows once.

        Raises:
            InternalFault: the contributions do not add up to the log-odds.
        """
        encoded = self.encode(X)
        values = np.zeros((len(X), len(self.features)), order="F")
        base = self.calibrator.intercept
        for component, weight in zip(self.components, self.weights, strict=True):
            component_base, parts = component.contributions(encoded)
            base += self.calibrator.slope * weight * component_base
            for column, feature in enumerate(self._source_of_column):
                values[:, feature] += self.calibrator.slope * weight * parts[:, column]
        values[self.missing_required(X)] = np.nan
        margin = self._margin(X, encoded)
        log_odds = self.calibrator.log_odds(margin)
        _refuse_unequal_sums(base, values, log_odds)
        return margin, Contributions(base, values, log_odds)

    def issue_points(self, contributions: Contributions) -> IssuedPoints:
        """Return the integer points of contributions of this model.

        Raises:
            ValueError: a row may not be scored.
        """
        return self.scale.issue_points(contributions.base, contributions.values, contributions.log_odds)

    def grades_of(self, X: FloatArray) -> list[str]:
        """Return the grade names (n,)."""
        return self.grades.grades_of(self.probability(X))


def _refuse_unequal_sums(base: float, values: FloatArray, log_odds: FloatArray) -> None:
    gap = np.abs(base + values.sum(axis=1) - log_odds)
    if not np.array_equal(np.isnan(gap), np.isnan(log_odds)) or (gap > _ADDITIVITY_TOLERANCE).any():
        raise InternalFault(f"contributions miss the log-odds by up to {float(np.nanmax(gap)):.3g}")

"""A figure with its uncertainty, and results as plain JSON values."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FloatArray: TypeAlias = "NDArray[np.float64]"
IntArray: TypeAlias = "NDArray[np.int64]"
BoolArray: TypeAlias = "NDArray[np.bool_]"


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A figure on the sample, with the percentile interval and the standard error of its bootstrap draws.

    ``draws`` counts the draws in which the figure was defined (a draw without a bad seller has no AUC).
    """

    value: float
    lower: float
    upper: float
    standard_error: float
    draws: int


def estimate_from_draws(value: float, draws: FloatArray, confidence: float = 0.95) -> Estimate:
    """Build an estimate from the figure on the sample and its bootstrap draws (draws,), NaN where undefined."""
    defined = draws[np.isfinite(draws)]
    if defined.size < 2:
        return Estimate(value, math.nan, math.nan, math.nan, int(defined.size))
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(defined, [tail, 1 - tail])
    return Estimate(float(value), float(lower), float(upper), float(defined.std(ddof=1)), int(defined.size))


def to_json_value(value: object) -> Any:  # noqa: ANN401 - JSON is any of six types
    """Convert dataclasses, tuples, mappings, dates and floats to JSON values; a float that is not finite becomes null.

    Raises:
        TypeError: the value is of another type, which the caller should have converted.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json_value(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(item) for item in value]
    if isinstance(value, datetime.date):
        return value.isoformat()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    raise TypeError(f"{type(value).__name__} cannot be part of a result")

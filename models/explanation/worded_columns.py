"""The wording of many values at once: each distinct text is made once, by the same function as for a single value.

A text shows three significant digits or a whole number, so many values share one. Values so near to a rounding boundary
that an array and a single number could be rounded differently are never put together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa

from models.explanation.reasons import shown_value

if TYPE_CHECKING:
    import numpy.typing as npt

    from models.components.encoding import BoolArray, FloatArray
    from models.explanation.reasons import ReasonText

_LARGEST_TOGETHER: Final = 1e15
_NEAR_A_BOUNDARY: Final = 1e-6


class WordedColumn(NamedTuple):
    """The distinct texts of a column in English and Chinese, and which of them (n,) each value has."""

    place: npt.NDArray[np.int64]
    english: list[str]
    chinese: list[str]


def worded_column(values: FloatArray, text: ReasonText) -> WordedColumn:
    """Return the texts of finite values (n,) of one feature."""
    alike = pa.array(_alike(values, text)).dictionary_encode()
    place = alike.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    first = np.empty(len(alike.dictionary), dtype=np.int64)
    first[place[::-1]] = np.arange(len(place))[::-1]
    shown = [shown_value(value, text) for value in values[first].tolist()]
    return WordedColumn(place, [english for english, _ in shown], [chinese for _, chinese in shown])


def _alike(values: FloatArray, text: ReasonText) -> npt.NDArray[np.int64]:
    """Return a number (n,) for each value; values with the same number have the same text."""
    if text.levels is not None:
        return values.view(np.int64)
    shown = _as_shown(values, text.unit)
    size = np.abs(shown)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        whole = (size >= 100.0) | (shown == np.trunc(shown))
        exponent = np.floor(np.log10(np.where(whole, 1.0, size)))
        digits = np.where(whole, shown, shown * 10.0 ** (2.0 - exponent))
        rounded = np.rint(digits)
        together = _is_clear(digits, rounded, whole)
    key = np.where(together, rounded, 0.0).astype(np.int64) * 1024
    key += np.where(whole | ~together, 0.0, exponent + 512.0).astype(np.int64)
    return np.where(together, key, np.iinfo(np.int64).min + np.arange(len(values)))


def _is_clear(digits: FloatArray, rounded: FloatArray, whole: BoolArray) -> BoolArray:
    """Return which numbers (n,) round clearly, and have the number of digits that their logarithm says."""
    size = np.abs(digits)
    from_boundary = np.abs(np.abs(digits - rounded) - 0.5)
    is_within = whole | ((size > 100.5) & (size < 998.5))
    is_negative_zero = (digits == 0.0) & np.signbit(digits)
    clear = from_boundary > _NEAR_A_BOUNDARY * np.maximum(1.0, size)
    return np.asarray((size < _LARGEST_TOGETHER) & is_within & clear & ~is_negative_zero)


def _as_shown(values: FloatArray, unit: str) -> FloatArray:
    """Return the numbers (n,) that the text of each value shows."""
    with np.errstate(over="ignore"):
        if unit == "share":
            return 100.0 * values
        if unit == "ln ratio":
            return np.asarray(np.exp(values))
        return np.asarray(np.expm1(values)) if unit.startswith("ln ") else values

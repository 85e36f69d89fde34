"""The values that a unit allows: whatever lies outside is no measurement, but a damaged or invented number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# A quadrillion dollars are more than there are. Shares are ratios of amounts: where sales nearly vanish, refunds may be
# a million times as high, but not a billion times. Hardly any firm is a hundred thousand days old.
_MOST_DOLLARS: Final = 1e15
_LONGEST_LOGARITHM: Final = 35.0
_HIGHEST_RATIO: Final = 1e9
_MOST_DAYS: Final = 1e5
# Features are sums and quotients of floating-point numbers.
_ROUNDING: Final = 1e-9

_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "0 or 1": (0.0, 1.0),
    "USD": (-_MOST_DOLLARS, _MOST_DOLLARS),
    "count": (0.0, 1e12),
    "days": (-_MOST_DAYS, _MOST_DAYS),
    "index, 0 to 1": (0.0, 1.0),
    "ln USD": (0.0, _LONGEST_LOGARITHM),
    "ln count": (0.0, _LONGEST_LOGARITHM),
    "ln ratio": (-_LONGEST_LOGARITHM, _LONGEST_LOGARITHM),
    "ratio": (-_HIGHEST_RATIO, _HIGHEST_RATIO),
    "ratio, -1 to 1": (-1.0, 1.0),
    "share": (-_HIGHEST_RATIO, _HIGHEST_RATIO),
}


def possible_range(unit: str) -> tuple[float, float]:
    """Return the lowest and the highest value that a unit allows; wide limits for a unit that is not known.

    >>> possible_range("index, 0 to 1")
    (-1e-09, 1.000000001)
    """
    lowest, highest = _RANGES.get(unit, (-_MOST_DOLLARS, _MOST_DOLLARS))
    return lowest - _ROUNDING, highest + _ROUNDING

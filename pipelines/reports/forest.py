"""Geometry of interval marks in table cells: where a value and its interval are drawn on a scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MARGIN = 0.06


@dataclass(frozen=True)
class ForestCell:
    """Places in percent of the cell's width; None where there is nothing to mark."""

    mark: float
    start: float
    width: float
    reference: float | None
    limit: float | None


@dataclass(frozen=True)
class ForestScale:
    """The two ends that all cells of a column share, and the value of its vertical line."""

    low: float
    high: float
    reference: float | None = None

    def cell(self, estimate: Mapping[str, Any], limit: float | None = None) -> ForestCell | None:
        """Return the cell of an estimate (value, lower, upper); None where its interval is undefined."""
        value, lower, upper = (estimate[name] for name in ("value", "lower", "upper"))
        if value is None or lower is None or upper is None:
            return None
        start, end = self.place(lower), self.place(upper)
        return ForestCell(
            mark=self.place(value),
            start=start,
            width=end - start,
            reference=None if self.reference is None else self.place(self.reference),
            limit=None if limit is None else self.place(limit),
        )

    def place(self, value: float) -> float:
        """Return a value's place in percent of the width, kept inside the cell."""
        return 100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def forest_scale(
    estimates: Sequence[Mapping[str, Any]], reference: float | None = None, others: Sequence[float] = ()
) -> ForestScale:
    """Return a scale that encloses every interval, the reference and the other values, with a margin."""
    values = [one[name] for one in estimates for name in ("value", "lower", "upper") if one[name] is not None]
    values += [*others, *([] if reference is None else [reference])]
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = MARGIN * (high - low) or 0.05
    return ForestScale(low - margin, high + margin, reference)

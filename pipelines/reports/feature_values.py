"""A feature's value with its unit, as people write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.reports.rendering import percent, significant

if TYPE_CHECKING:
    from pipelines.reports.rendering import Texts


def value_with_unit(value: float | None, unit: str, texts: Texts) -> str:
    """A value in words: shares as percent, the rest with three significant digits and the unit's name."""
    if value is None:
        return texts("value_missing")
    if unit == "share":
        return percent(value)
    name = texts.of_code("unit", unit)
    return f"{significant(value)} {name}".strip()

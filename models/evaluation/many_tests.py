"""Adjust p-values where many tests are made at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

K = TypeVar("K")


def holm(p_values: Mapping[K, float]) -> dict[K, float]:
    """Return p-values adjusted for the number of tests by the step-down method of Holm (1979), under the same keys."""
    adjusted, largest = {}, 0.0
    for place, (key, value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, (len(p_values) - place) * value))
        adjusted[key] = largest
    return adjusted

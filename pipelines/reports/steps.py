"""Sums of points as steps: each bar begins where the one above ends, so that a sum can be followed by eye."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MARGIN = 0.08
"""Room on both sides of the lowest and highest sum, as a share of the distance between them."""


@dataclass(frozen=True)
class Step:
    """One addend: its points, the sum after it, and place and width of its bar in percent of the lane."""

    points: int
    running: int
    left: float
    width: float


@dataclass(frozen=True)
class Staircase:
    """A sum from its base to its end: the places of both in percent of the lane, and the steps between them."""

    base_place: float
    end_place: float
    steps: tuple[Step, ...]


def staircase(base: int, addends: Sequence[int]) -> Staircase:
    """Return the steps from ``base`` to ``base + sum(addends)``, all on one scale that does not begin at zero."""
    sums = [base]
    for points in addends:
        sums.append(sums[-1] + points)
    low, high = min(sums), max(sums)
    margin = MARGIN * (high - low) or 1.0

    def place(value: float) -> float:
        return 100 * (value - low + margin) / (high - low + 2 * margin)

    steps = []
    for points, before, after in zip(addends, sums, sums[1:], strict=False):
        left, right = sorted((place(before), place(after)))
        steps.append(Step(points, after, left, right - left))
    return Staircase(place(base), place(sums[-1]), tuple(steps))

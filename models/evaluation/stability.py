"""Stability of a model over time and across the parts of the portfolio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.bootstrap import Outcomes, auc_draws
from models.evaluation.discrimination import auc
from models.evaluation.estimates import Estimate, FloatArray, IntArray, estimate_from_draws
from models.evaluation.rates import RateRow, rate_row

if TYPE_CHECKING:
    from collections.abc import Sequence

FALLING_WEIGHT = 88.0
RESIDUAL_WEIGHT = -0.5
WEEKS_A_QUARTER = 13


@dataclass(frozen=True)
class PartResult:
    """A model on one part of the sample: a quarter or a segment.

    ``auc`` is None where the part has too few bad or good rows.
    """

    part: str
    rates: RateRow
    auc: Estimate | None


def results_by_part(
    outcomes: Outcomes, probability: FloatArray, part_of_row: Sequence[str], counts: IntArray, smallest_class: int
) -> tuple[PartResult, ...]:
    """Return rates and AUC of each part, in order of their names.

    Args:
        outcomes: the whole sample.
        probability: (rows,) predicted.
        part_of_row: (rows,) name of each row's part.
        counts: (draws, components) bootstrap draws of the whole sample.
        smallest_class: a part with fewer bad rows or fewer good rows has no AUC.
    """
    names = np.asarray(part_of_row, dtype=object)
    found = []
    for part in sorted(set(names)):
        rows = np.flatnonzero(names == part)
        inside = outcomes.subset(rows)
        found.append(
            PartResult(
                part=str(part),
                rates=rate_row(str(part), inside.label, probability[rows]),
                auc=_auc(inside, probability[rows], counts, smallest_class),
            )
        )
    return tuple(found)


def _auc(inside: Outcomes, probability: FloatArray, counts: IntArray, smallest_class: int) -> Estimate | None:
    bad = int(inside.label.sum())
    if min(bad, inside.label.size - bad) < smallest_class:
        return None
    return estimate_from_draws(auc(inside.label, probability), auc_draws(inside, probability, counts))


def pool_small_parts(
    part_of_row: Sequence[str], seller_id: Sequence[str], smallest: int, pooled_name: str
) -> list[str]:
    """Pool the parts with fewer than ``smallest`` sellers, so that no small group is published."""
    sellers: dict[str, set[str]] = {}
    for part, seller in zip(part_of_row, seller_id, strict=True):
        sellers.setdefault(part, set()).add(seller)
    return [part if len(sellers[part]) >= smallest else pooled_name for part in part_of_row]


def stability_score(gini_by_quarter: Sequence[float]) -> float | None:
    """Return mean Gini + 88 min(0, weekly trend) - 0.5 x standard deviation around the trend.

    The metric of the Home Credit 2024 competition, whose periods were weeks; a quarter counts as 13 of them. None for
    fewer than three quarters.
    """
    ginis = np.asarray(gini_by_quarter, dtype=np.float64)
    if ginis.size < 3:
        return None
    week = WEEKS_A_QUARTER * np.arange(ginis.size)
    slope, intercept = np.polyfit(week, ginis, 1)
    residual = ginis - (slope * week + intercept)
    return float(ginis.mean() + FALLING_WEIGHT * min(0.0, float(slope)) + RESIDUAL_WEIGHT * residual.std())

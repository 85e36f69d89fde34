"""Tests that validators ask for: of the calibration of single rows, and of the order of neighbouring grades."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc, ndtr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.evaluation.bootstrap import Outcomes
    from models.evaluation.estimates import FloatArray, IntArray


@dataclass(frozen=True)
class CalibrationTests:
    """Two classical tests of calibration; both treat rows as independent, so they warn too early for related rows.

    Attributes:
        spiegelhalter_z: standard normal if every probability is true (Spiegelhalter 1986).
        spiegelhalter_p: two-sided p-value.
        hosmer_lemeshow: sum over bands of squared excess over its variance (Hosmer and Lemeshow 1980).
        bands: number of bands; out of sample, the sum has as many degrees of freedom.
        hosmer_lemeshow_p: p-value.
    """

    spiegelhalter_z: float
    spiegelhalter_p: float
    hosmer_lemeshow: float
    bands: int
    hosmer_lemeshow_p: float


@dataclass(frozen=True)
class NeighbouringGrades:
    """Whether a grade defaults more often than the better grade next to it.

    ``p_value`` is one-sided and clustered by related-party component; NaN where neither grade has a default.
    """

    better: str
    worse: str
    difference: float
    p_value: float


def calibration_tests(label: IntArray, probability: FloatArray, band: IntArray) -> CalibrationTests:
    """Return both tests for rows in bands (rows,) of similar probability."""
    variance = probability * (1 - probability)
    spread = float(np.sqrt(((1 - 2 * probability) ** 2 * variance).sum()))
    z = float(((label - probability) * (1 - 2 * probability)).sum()) / spread if spread else float("nan")
    _, group = np.unique(band, return_inverse=True)
    excess, expected_variance = np.bincount(group, label - probability), np.bincount(group, variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = float((excess**2 / expected_variance).sum())
    bands = len(excess)
    return CalibrationTests(z, float(2 * ndtr(-abs(z))), total, bands, float(chdtrc(bands, total)))


def neighbouring_grades(
    outcomes: Outcomes, grade: Sequence[str], order: Sequence[str]
) -> tuple[NeighbouringGrades, ...]:
    """Compare each filled grade with the filled grade before it."""
    names = np.asarray(grade, dtype=object)
    filled = [name for name in order if (names == name).any()]
    return tuple(_compared(outcomes, names, better, worse) for better, worse in pairwise(filled))


def _compared(outcomes: Outcomes, names: np.ndarray, better: str, worse: str) -> NeighbouringGrades:
    influence, rates = np.zeros(outcomes.label.size), []
    for name, sign in ((better, -1.0), (worse, 1.0)):
        rows = names == name
        rate = float(outcomes.label[rows].mean())
        influence[rows] = sign * (outcomes.label[rows] - rate) / rows.sum()
        rates.append(rate)
    error = float(np.sqrt(np.square(np.bincount(outcomes.cluster, influence)).sum()))
    difference = rates[1] - rates[0]
    p_value = float(ndtr(-difference / error)) if error else float("nan")
    return NeighbouringGrades(better, worse, difference, p_value)

"""Calibration of predicted probabilities of default, on a sample and on its bootstrap draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.evaluation.estimates import FloatArray, IntArray

SMALLEST_PROBABILITY = 1e-12
"""Distance that predictions keep from 0 and 1 where a logarithm is taken."""

NEWTON_STEPS = 40
LONGEST_STEP = 2.0
CONVERGED = 1e-8


def log_odds_of(probability: FloatArray) -> FloatArray:
    """Return the log-odds of probabilities, finite at 0 and 1."""
    kept = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def squared_errors(label: IntArray, probability: FloatArray) -> FloatArray:
    """Return the squared error of each row; the mean is the Brier score."""
    return np.asarray((probability - label) ** 2)


def log_losses(label: IntArray, probability: FloatArray) -> FloatArray:
    """Return the negative log-likelihood of each row in nats; the mean is the log-loss."""
    kept = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return np.asarray(-np.where(label == 1, np.log(kept), np.log1p(-kept)))


@dataclass(frozen=True)
class BrierParts:
    """Brier score = ``reliability`` - ``resolution`` + ``uncertainty``, exactly.

    Rows are grouped in bins. Resolution is the generalised one, which includes how predictions vary and co-vary with
    outcomes inside a bin (Stephenson, Coelho, Jolliffe 2008, doi 10.1175/2007WAF2006116.1). Without it the three parts
    would miss the Brier score by that remainder.
    """

    reliability: float
    resolution: float
    uncertainty: float


def brier_parts(label: IntArray, probability: FloatArray, bin_of_row: IntArray) -> BrierParts:
    """Return the parts of the Brier score for rows grouped by ``bin_of_row`` (rows,)."""
    _, group = np.unique(bin_of_row, return_inverse=True)
    count = np.bincount(group).astype(np.float64)
    expected = np.bincount(group, probability) / count
    observed = np.bincount(group, label) / count
    share = count / label.size
    rate = float(label.mean())
    reliability = float((share * (expected - observed) ** 2).sum())
    between = float((share * (observed - rate) ** 2).sum())
    spread = probability - expected[group]
    within_variance = float((spread**2).mean())
    within_covariance = float(2 * ((label - observed[group]) * spread).mean())
    return BrierParts(reliability, between - within_variance + within_covariance, rate * (1 - rate))


def mean_parts(parts: Sequence[BrierParts]) -> BrierParts:
    """Return the mean of each part over repeats; it decomposes the mean Brier score."""
    return BrierParts(
        reliability=float(np.mean([one.reliability for one in parts])),
        resolution=float(np.mean([one.resolution for one in parts])),
        uncertainty=float(np.mean([one.uncertainty for one in parts])),
    )


def calibration_lines(
    label: IntArray, log_odds: FloatArray, weight: FloatArray, start: tuple[float, float] = (0.0, 1.0)
) -> tuple[FloatArray, FloatArray]:
    """Fit a logistic regression of outcomes on predicted log-odds for each draw, by Newton's method.

    Perfectly calibrated predictions have slope 1 and intercept 0; a slope below 1 means they are too extreme.

    Args:
        label: (rows,) 1 for a bad row.
        log_odds: (rows,) predicted.
        weight: (draws, rows).
        start: intercept and slope to start from; the fit of the whole sample is close to every draw's.

    Returns:
        Intercepts and slopes, (draws,) each; NaN where a draw has no finite fit (one class only, or separable).
    """
    draws = weight.shape[0]
    line = np.tile(np.array(start, dtype=np.float64)[:, np.newaxis], (1, draws))
    running = np.arange(draws)
    longest = np.full(draws, np.inf)
    for _ in range(NEWTON_STEPS):
        step = _newton_step(label, log_odds, weight[running], line[:, running])
        line[:, running] += np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        longest[running] = np.abs(step).max(axis=0)
        running = running[longest[running] > CONVERGED]
        if running.size == 0:
            break
    line[:, ~(longest <= CONVERGED)] = np.nan
    return line[0], line[1]


def _newton_step(label: IntArray, log_odds: FloatArray, weight: FloatArray, line: FloatArray) -> FloatArray:
    """Return the Newton step (2, draws) of the two-parameter logistic likelihood."""
    fitted = 1 / (1 + np.exp(-(line[0][:, np.newaxis] + line[1][:, np.newaxis] * log_odds)))
    residual = weight * (label - fitted)
    curvature = weight * fitted * (1 - fitted)
    gradient = np.stack([residual.sum(axis=1), residual @ log_odds])
    first, cross, second = curvature.sum(axis=1), curvature @ log_odds, curvature @ log_odds**2
    with np.errstate(divide="ignore", invalid="ignore"):
        determinant = first * second - cross**2
        step = np.stack([second * gradient[0] - cross * gradient[1], first * gradient[1] - cross * gradient[0]])
        return np.asarray(step / determinant)


def equal_count_bins(probability: FloatArray, bins: int) -> IntArray:
    """Return the bin (rows,) of each prediction, 0 the lowest; tied predictions share one, so bins may be fewer."""
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.asarray(np.searchsorted(edges, probability, side="right"))

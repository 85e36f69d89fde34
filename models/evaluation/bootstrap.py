"""Bootstrap draws of whole related-party components, and every measure on them.

Related sellers default together. Drawing single rows would treat them as independent and make intervals too narrow, so
components are drawn with replacement, each with all its rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.calibration_quality import calibration_lines, log_losses, log_odds_of, squared_errors
from models.evaluation.discrimination import (
    Ranking,
    auc_of_steps,
    average_precision_of_steps,
    ks_of_steps,
    rank_rows,
    step_weights,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from models.evaluation.estimates import FloatArray, IntArray

MEASURES = (
    "auc",
    "gini",
    "ks",
    "average_precision",
    "brier",
    "log_loss",
    "calibration_slope",
    "calibration_intercept",
    "expected_to_observed",
)
"""Names of the measures, in the order of the results."""

CELLS_AT_ONCE = 400_000
"""Number of weights (draws x rows) held at a time: memory stays small and inside the processor's cache."""


@dataclass(frozen=True)
class Outcomes:
    """The evaluated rows: ``label`` (rows,) 1 = bad; ``cluster`` (rows,) number of the row's component, from 0."""

    label: IntArray
    cluster: IntArray

    def __post_init__(self) -> None:
        """Refuse unequal row counts and labels other than 0 and 1."""
        if self.label.shape != self.cluster.shape or self.label.ndim != 1 or self.label.size == 0:
            raise ValueError(f"labels {self.label.shape} and clusters {self.cluster.shape} must be equal vectors")
        if not np.isin(self.label, (0, 1)).all():
            raise ValueError("labels must be 0 (good) or 1 (bad)")

    def subset(self, rows: IntArray) -> Outcomes:
        """Return some of the rows; component numbers stay, so the same draws apply."""
        return Outcomes(self.label[rows], self.cluster[rows])


def draw_counts(clusters: int, draws: int, seed: int) -> IntArray:
    """Return how often each component is drawn: (draws, clusters); each row sums to ``clusters``."""
    generator = np.random.default_rng(seed)
    drawn = (generator.integers(0, clusters, clusters) for _ in range(draws))
    return np.stack([np.bincount(components, minlength=clusters) for components in drawn])


def measures_of_sample(outcomes: Outcomes, probability: FloatArray) -> dict[str, float]:
    """Return every measure on the sample itself; NaN where undefined."""
    clusters = int(outcomes.cluster.max()) + 1
    on_sample = measure_draws(outcomes, probability, np.ones((1, clusters), dtype=np.int64))
    return {name: float(values[0]) for name, values in on_sample.items()}


def measure_draws(outcomes: Outcomes, probability: FloatArray, counts: IntArray) -> dict[str, FloatArray]:
    """Compute every measure on the bootstrap draws.

    Args:
        outcomes: the rows.
        probability: (rows,) predicted probability of default.
        counts: (draws, clusters) from ``draw_counts``.

    Returns:
        For each measure its values (draws,), NaN where a draw leaves it undefined.
    """
    ranking = rank_rows(probability)
    ranked_cluster = outcomes.cluster[ranking.order]
    ranked = Outcomes(outcomes.label[ranking.order], ranked_cluster)
    log_odds = log_odds_of(probability[ranking.order])
    whole = calibration_lines(ranked.label, log_odds, np.ones((1, ranked.label.size)))
    start = (float(whole[0][0]), float(whole[1][0])) if np.isfinite(whole[1][0]) else (0.0, 1.0)
    chunks = [
        _row_measures(outcomes.label, ranking, log_odds, weight, start)
        for weight in _weights_in_chunks(counts, ranked_cluster)
    ]
    found = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    found.update(_mean_measures(outcomes, probability, counts))
    return {name: found[name] for name in MEASURES}


def compared_draws(outcomes: Outcomes, probability: FloatArray, counts: IntArray) -> dict[str, FloatArray]:
    """Compute only the measures used in paired comparisons, at a fraction of the cost of all."""
    means = _mean_measures(outcomes, probability, counts)
    return {"auc": auc_draws(outcomes, probability, counts), "brier": means["brier"], "log_loss": means["log_loss"]}


def auc_draws(outcomes: Outcomes, probability: FloatArray, counts: IntArray) -> FloatArray:
    """Compute the AUC alone on the bootstrap draws (draws,), as periods and segments need it."""
    ranking = rank_rows(probability)
    chunks = _weights_in_chunks(counts, outcomes.cluster[ranking.order])
    return np.concatenate([auc_of_steps(step_weights(outcomes.label, ranking, weight)) for weight in chunks])


def ratio_draws(outcomes: Outcomes, probability: FloatArray, counts: IntArray) -> FloatArray:
    """Compute expected to observed defaults alone on the bootstrap draws (draws,), as segments need it."""
    return _mean_measures(outcomes, probability, counts)["expected_to_observed"]


def _weights_in_chunks(counts: IntArray, ranked_cluster: IntArray) -> Iterator[FloatArray]:
    size = max(1, CELLS_AT_ONCE // ranked_cluster.size)
    for begin in range(0, len(counts), size):
        yield counts[begin : begin + size][:, ranked_cluster].astype(np.float64)


def _row_measures(
    label: IntArray, ranking: Ranking, log_odds: FloatArray, weight: FloatArray, start: tuple[float, float]
) -> Mapping[str, FloatArray]:
    """Compute the measures that need every row's weight; ``log_odds`` and ``weight`` are in ranking order."""
    steps = step_weights(label, ranking, weight)
    area = auc_of_steps(steps)
    intercept, slope = calibration_lines(label[ranking.order], log_odds, weight, start)
    return {
        "auc": area,
        "gini": 2 * area - 1,
        "ks": ks_of_steps(steps),
        "average_precision": average_precision_of_steps(steps),
        "calibration_slope": slope,
        "calibration_intercept": intercept,
    }


def _mean_measures(outcomes: Outcomes, probability: FloatArray, counts: IntArray) -> Mapping[str, FloatArray]:
    """Compute the measures that are means over rows: sums by component suffice, so a draw is a matrix row."""
    clusters = counts.shape[1]
    weights = counts.astype(np.float64)  # numpy multiplies integer matrices without BLAS

    def drawn_sum(values: FloatArray) -> FloatArray:
        return np.asarray(weights @ np.bincount(outcomes.cluster, values, minlength=clusters))

    rows = drawn_sum(np.ones(outcomes.label.size))
    bad = drawn_sum(outcomes.label.astype(np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = drawn_sum(probability) / bad
        return {
            "brier": drawn_sum(squared_errors(outcomes.label, probability)) / rows,
            "log_loss": drawn_sum(log_losses(outcomes.label, probability)) / rows,
            "expected_to_observed": np.where(bad > 0, ratio, np.nan),
        }

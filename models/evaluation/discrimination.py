"""Discrimination: how well predictions separate bad sellers from good ones, on a sample and on bootstrap draws.

Every function takes row weights of shape (draws, rows). A bootstrap draw is the same rows with other counts, so a
thousand draws cost one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.evaluation.estimates import FloatArray, IntArray


@dataclass(frozen=True)
class Ranking:
    """Rows in ascending order of predicted probability.

    ``order`` (rows,) holds row numbers; ``starts`` (groups,) the positions where a new distinct probability begins, so
    that tied rows count as one step.
    """

    order: IntArray
    starts: IntArray


def rank_rows(probability: FloatArray) -> Ranking:
    """Rank rows by predicted probability of default, ties grouped."""
    order = np.argsort(probability, kind="stable")
    ascending = probability[order]
    is_start = np.concatenate([[True], ascending[1:] != ascending[:-1]])
    return Ranking(order, np.flatnonzero(is_start))


@dataclass(frozen=True)
class StepWeights:
    """Weight of bad and of good rows at each distinct probability, ascending; both of shape (draws, groups)."""

    bad: FloatArray
    good: FloatArray


def step_weights(label: IntArray, ranking: Ranking, ordered_weight: FloatArray) -> StepWeights:
    """Return the weights by step.

    Args:
        label: (rows,) 1 for a bad row, in the order of the sample.
        ranking: ranking of the same rows.
        ordered_weight: (draws, rows) weights already in ranking order.
    """
    bad = ordered_weight * label[ranking.order].astype(np.float64)
    if ranking.starts.size == label.size:  # no ties, nothing to add up
        return StepWeights(bad=bad, good=ordered_weight - bad)
    total = np.add.reduceat(ordered_weight, ranking.starts, axis=1)
    bad = np.add.reduceat(bad, ranking.starts, axis=1)
    return StepWeights(bad=bad, good=total - bad)


def auc_of_steps(steps: StepWeights) -> FloatArray:
    """Return the area under the ROC curve (draws,).

    It is the chance that a bad row ranks above a good one, ties counting one half. NaN where a draw lacks one of the
    two classes.
    """
    good_below = np.cumsum(steps.good, axis=1) - steps.good
    wins = (steps.bad * (good_below + 0.5 * steps.good)).sum(axis=1)
    return _ratio(wins, steps.bad.sum(axis=1) * steps.good.sum(axis=1))


def ks_of_steps(steps: StepWeights) -> FloatArray:
    """Return the Kolmogorov-Smirnov distance (draws,) between the predictions of bad and of good rows."""
    bad_share = np.cumsum(steps.bad, axis=1)
    good_share = np.cumsum(steps.good, axis=1)
    bad_total, good_total = bad_share[:, -1:], good_share[:, -1:]
    gaps = np.abs(_ratio(bad_share, bad_total) - _ratio(good_share, good_total))
    return np.asarray(gaps.max(axis=1))


def average_precision_of_steps(steps: StepWeights) -> FloatArray:
    """Return the average precision (draws,): mean precision over the bad rows, refusing the worst first."""
    bad = steps.bad[:, ::-1]
    caught = np.cumsum(bad, axis=1)
    refused = caught + np.cumsum(steps.good[:, ::-1], axis=1)
    precision = np.divide(caught, refused, out=np.zeros_like(caught), where=refused > 0)
    return _ratio((bad * precision).sum(axis=1), caught[:, -1])


def auc(label: IntArray, probability: FloatArray) -> float:
    """Return the area under the ROC curve of one sample; NaN when one class is absent."""
    return float(auc_of_steps(step_weights(label, rank_rows(probability), np.ones((1, label.size))))[0])


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    broadcast = np.broadcast_to(denominator, numerator.shape)
    undefined = np.full(numerator.shape, np.nan)
    return np.asarray(np.divide(numerator, broadcast, out=undefined, where=broadcast > 0))

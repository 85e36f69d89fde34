"""The H-measure: how much of the loss of deciding without a model a ranking saves, costs being uncertain.

The AUC weighs costs by the scores of the model itself, so that two models are judged by two different standards. The
H-measure weighs them alike for every model (Hand 2009, doi 10.1007/s10994-009-5119-5), here by the Beta distribution
that puts its mode where both kinds of errors cost the same in sum (Hand and Anagnostopoulos 2014,
doi 10.1016/j.patrec.2013.12.009).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc

from models.evaluation.discrimination import rank_rows, step_weights

if TYPE_CHECKING:
    from models.evaluation.estimates import FloatArray, IntArray


def h_measure(label: IntArray, probability: FloatArray) -> float:
    """Return the H-measure of one sample: 1 for a perfect ranking, 0 for none; NaN where a class is absent."""
    bad_share = float(np.mean(label))
    if not 0.0 < bad_share < 1.0:
        return float("nan")
    flagged_good, flagged_bad = _hull(*_roc(label, probability))
    edges = _costs_where_the_best_cut_off_changes(flagged_good, flagged_bad, bad_share)
    weight, first_moment = _beta_masses(edges, bad_share)
    loss = (1.0 - bad_share) * flagged_good @ first_moment + bad_share * (1.0 - flagged_bad) @ (weight - first_moment)
    weight, first_moment = _beta_masses(np.array([0.0, bad_share, 1.0]), bad_share)
    without_model = (1.0 - bad_share) * first_moment[0] + bad_share * (weight - first_moment)[1]
    return float(1.0 - loss / without_model)


def _roc(label: IntArray, probability: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the shares of goods and of bads at or above each cut-off, from the highest cut-off down."""
    steps = step_weights(label, rank_rows(probability), np.ones((1, label.size)))
    good, bad = (np.concatenate([[0.0], np.cumsum(side[0][::-1])]) for side in (steps.good, steps.bad))
    return good / good[-1], bad / bad[-1]


def _hull(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the vertices of the upper convex hull of a ROC curve, from (0, 0) to (1, 1)."""
    kept: list[int] = []
    for new in range(len(x)):
        while len(kept) > 1:
            first, last = kept[-2], kept[-1]
            turn = (x[last] - x[first]) * (y[new] - y[first]) - (y[last] - y[first]) * (x[new] - x[first])
            if turn < 0:
                break
            kept.pop()
        kept.append(new)
    return x[kept], y[kept]


def _costs_where_the_best_cut_off_changes(x: FloatArray, y: FloatArray, bad_share: float) -> FloatArray:
    """Return the costs of flagging a good between which each vertex is best, from 1 down to 0.

    The first vertex flags nobody: it is best where a wrongly flagged good costs most.
    """
    bads, goods = bad_share * np.diff(y), (1.0 - bad_share) * np.diff(x)
    return np.concatenate([[1.0], bads / (bads + goods), [0.0]])


def _beta_masses(edges: FloatArray, bad_share: float) -> tuple[FloatArray, FloatArray]:
    """Return, for each interval of costs, its mass and the integral of the cost, under the Beta distribution."""
    first, second = 1.0 + bad_share, 2.0 - bad_share
    mean = first / (first + second)
    mass = np.abs(np.diff(betainc(first, second, edges)))
    moment = mean * np.abs(np.diff(betainc(first + 1.0, second, edges)))
    return mass, moment

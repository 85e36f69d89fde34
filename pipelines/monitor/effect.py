"""What drift does to scores and probabilities: by feature, the shift of its mean points and of the mean probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erfc, expit

from models.evaluation.drift import Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.components.encoding import FloatArray
    from models.components.model import CreditModel

MOST_ROWS = 20_000
"""Rows of each sample whose points are computed; of a larger sample, so many spread evenly over it."""


@dataclass(frozen=True)
class Effect:
    """What the drift of one feature does.

    Attributes:
        points: mean points in the current sample less those in the reference; below zero towards more risk.
        probability: relative change of the mean probability of default, against the same applicants with the
            reference's mean contribution of this feature.
        p_value: that mean contributions this far apart are chance.
    """

    points: float
    probability: float
    p_value: float


def effects(
    model: CreditModel, reference: FloatArray, current: FloatArray, evidence: Evidence | None = None
) -> Mapping[str, Effect]:
    """Return, by feature, what its drift does.

    Points are contributions to the log-odds on the score's scale, before they are rounded. Their shifts add up to the
    shift of the mean score, because contributions add up to the log-odds. A stability index says that a variable has
    moved; this says whether the scores move with it, and which way.

    Args:
        model: the champion.
        reference: features (n, p) of the training observations.
        current: features (m, p) of the scored applicants. Rows that cannot be scored are left out of both means;
            the result is empty where that leaves no row.
        evidence: units and weights of the reference rows; by default each row counts as one unit.
    """
    given = evidence or Evidence(len(reference))
    weights = np.ones(len(reference)) if given.weights is None else given.weights
    before, weights, _ = _contributions(model, reference, weights)
    after, _, log_odds = _contributions(model, current, np.ones(len(current)))
    if not len(before) or not len(after):
        return {}
    mean = np.average(before, axis=0, weights=weights)
    spread = np.average((before - mean) ** 2, axis=0, weights=weights)
    shift = after.mean(axis=0) - mean
    error = np.sqrt(spread / max(1, given.units) + after.var(axis=0) / len(after))
    chance = erfc(np.abs(np.divide(shift, error, out=np.zeros_like(shift), where=error > 0)) / np.sqrt(2))
    now = expit(log_odds).mean()
    change = [float(now / expit(log_odds - each).mean() - 1) for each in shift]
    points = (-model.scale.factor * shift).tolist()
    rows = zip(model.feature_names, points, change, chance.tolist(), strict=True)
    return {name: Effect(*values) for name, *values in rows}


def _contributions(
    model: CreditModel, sample: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return, of the rows that can be scored, the contributions to the log-odds, the weights and the log-odds."""
    if len(sample) > MOST_ROWS:
        drawn = np.linspace(0, len(sample) - 1, MOST_ROWS).astype(np.int64)
        sample, weights = sample[drawn], weights[drawn]
    found = model.contributions(sample)
    is_scored = np.isfinite(found.values).all(axis=1)
    return found.values[is_scored], weights[is_scored], found.log_odds[is_scored]

"""What drift does to the score: the shift of each feature's mean points between two samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.components.encoding import FloatArray
    from models.components.model import CreditModel

MOST_ROWS = 20_000
"""Rows of each sample whose points are computed; of a larger sample, so many spread evenly over it."""


def points_shift(model: CreditModel, reference: FloatArray, current: FloatArray) -> Mapping[str, float]:
    """Return, by feature, the mean points in ``current`` less the mean points in ``reference``.

    Points are contributions to the log-odds on the score's scale, before they are rounded. The shifts add up to the
    shift of the mean score, because contributions add up to the log-odds. A stability index says that a variable has
    moved; this says whether the scores move with it, and which way (below zero: towards more risk).

    Args:
        model: the champion.
        reference: features (n, p) of the training observations.
        current: features (m, p) of the scored applicants. Rows that cannot be scored are left out of both means;
            the result is empty where that leaves no row.
    """
    before, after = (_mean_points(model, sample) for sample in (reference, current))
    if before is None or after is None:
        return {}
    return dict(zip(model.feature_names, (after - before).tolist(), strict=True))


def _mean_points(model: CreditModel, sample: FloatArray) -> FloatArray | None:
    if len(sample) > MOST_ROWS:
        sample = sample[np.linspace(0, len(sample) - 1, MOST_ROWS).astype(np.int64)]
    values = model.contributions(sample).values
    scored = values[np.isfinite(values).all(axis=1)]
    if not len(scored):
        return None
    mean: FloatArray = -model.scale.factor * scored.mean(axis=0)
    return mean

"""Tests of a model's reasons: does removing a reason help, and do reasons stay when values move a little?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.explanation.explanation import ReasonTests
from models.explanation.reasons import batch_reasons

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from models.components.encoding import FloatArray
    from models.components.model import CreditModel
    from models.components.scale import IntArray
    from models.explanation.explanation import ExplainSettings


def try_reasons(
    model: CreditModel, X: FloatArray, log_odds: FloatArray, points: IntArray, settings: ExplainSettings
) -> ReasonTests:
    """Test the reasons on rows drawn from a population.

    Args:
        model: the model.
        X: (n, p) rows it can score.
        log_odds: (n,) predicted log-odds of default.
        points: (n, p) issued points.
        settings: how many rows, how far to move them, and the random seed.
    """
    generator = np.random.default_rng(settings.seed)
    tested = np.sort(generator.choice(len(X), size=min(settings.tested_rows, len(X)), replace=False))
    families = [feature.family for feature in model.features]
    before = _first_two(points[tested], families)
    moved = _moved(X[tested], X, settings.movement, generator)
    after = _first_two(model.issue_points(model.contributions(moved)).points, families)
    has_reason = before[:, 0] >= 0
    same_first = (before[:, 0] == after[:, 0])[has_reason]
    same_two = (np.sort(before, axis=1) == np.sort(after, axis=1)).all(axis=1)[has_reason]
    falls = _falls_when_reset(model, X, log_odds, tested[has_reason], before[has_reason, 0])
    return ReasonTests(
        reset_rows=len(falls),
        faithful_share=float(falls.mean()) if len(falls) else None,
        moved_rows=int(has_reason.sum()),
        same_first_share=float(same_first.mean()) if has_reason.any() else None,
        same_two_share=float(same_two.mean()) if has_reason.any() else None,
    )


def _family_of_feature(families: Sequence[str]) -> npt.NDArray[np.int64]:
    names = list(dict.fromkeys(families))
    return np.array([names.index(family) for family in families], dtype=np.int64)


def _first_two(points: IntArray, families: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the numbers (n, 2) of the families of the first two negative reasons, -1 where there is none."""
    leading = batch_reasons(points, families).negative_feature[:, :2]
    return np.asarray(np.append(_family_of_feature(families), -1)[leading])


def _moved(X: FloatArray, population: FloatArray, movement: float, generator: np.random.Generator) -> FloatArray:
    """Shift the known values of rows at random by a share of the population's interquartile range."""
    known = np.where(np.isfinite(population).any(axis=0), population, 0.0)
    lower, upper = np.nanquantile(known, [0.25, 0.75], axis=0)
    return np.asarray(X + movement * (upper - lower) * generator.normal(size=X.shape))


def _falls_when_reset(
    model: CreditModel, X: FloatArray, log_odds: FloatArray, rows: npt.NDArray[np.int64], family: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Return, for riskier ``rows``, whether risk falls when ``family`` is set to the medians of the safer half."""
    middle = float(np.median(log_odds))
    usual = _usual_values(X[log_odds <= middle])
    risky = log_odds[rows] > middle
    chosen = X[rows[risky]]
    families = _family_of_feature([feature.family for feature in model.features])
    in_family = families[np.newaxis, :] == family[risky][:, np.newaxis]
    reset = np.where(in_family & np.isfinite(usual), usual, chosen)
    return np.asarray(model.log_odds(reset) < log_odds[rows[risky]])


def _usual_values(X: FloatArray) -> FloatArray:
    """Return the median of the known values of each column; NaN for a column that nobody reports."""
    reported = np.isfinite(X).any(axis=0)
    medians = np.nanmedian(np.where(reported, X, 0.0), axis=0)
    return np.asarray(np.where(reported, medians, np.nan))

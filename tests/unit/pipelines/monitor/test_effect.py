"""Shifts of mean points add up to the shift of the mean score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipelines.monitor import effect
from pipelines.monitor.effect import effects
from tests.factories.models import small_credit_model, small_world

if TYPE_CHECKING:
    from models.components.encoding import FloatArray
    from models.components.model import CreditModel


def points_shift(model: CreditModel, reference: FloatArray, current: FloatArray) -> dict[str, float]:
    return {name: one.points for name, one in effects(model, reference, current).items()}


def test_the_shifts_add_up_to_the_shift_of_the_mean_score() -> None:
    model, X = small_credit_model(), small_world().dataset.X
    reference, current = X[:300], X[300:500]
    shift = points_shift(model, reference, current)
    means = [float(model.scale.exact_score(model.log_odds(rows)).mean()) for rows in (reference, current)]
    assert list(shift) == list(model.feature_names)
    assert sum(shift.values()) == pytest.approx(means[1] - means[0])
    assert max(map(abs, shift.values())) > 0


def test_a_feature_that_stays_put_moves_no_score() -> None:
    model, X = small_credit_model(), small_world().dataset.X[:200]
    assert list(points_shift(model, X, X[::-1].copy()).values()) == pytest.approx([0.0] * X.shape[1], abs=1e-9)


def test_of_a_large_sample_rows_spread_over_it_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effect, "MOST_ROWS", 50)
    model, X = small_credit_model(), small_world().dataset.X[:200]
    drawn = X[np.linspace(0, 199, 50).astype(np.int64)]
    assert points_shift(model, X, X[:10]) == points_shift(model, drawn, X[:10])


def test_without_a_row_to_score_no_shift_is_known() -> None:
    model, X = small_credit_model(), small_world().dataset.X[:20]
    assert points_shift(model, X, X[:0]) == {}

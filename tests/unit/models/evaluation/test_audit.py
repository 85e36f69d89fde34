"""The audit passes a sound model and counts a planted fault."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.components.encoding import FloatArray, encoded_columns
from models.components.model import CreditModel
from models.evaluation.audit import AuditSettings, HeaviestFamily, audit_model, heaviest_family
from tests.factories.models import fact, small_credit_model, small_world
from tests.factories.progress import Recorder

SETTINGS = AuditSettings(rows=60, pairs=10, steps=7)


class Planted:
    """A component that adds ``weight * column`` for one encoded column, against the direction of that column."""

    kind = "planted"

    def __init__(self, column: int, weight: float) -> None:
        self.column, self.weight = column, weight

    def margin(self, encoded: FloatArray) -> FloatArray:
        return self.weight * encoded[:, self.column]

    def contributions(self, encoded: FloatArray) -> tuple[float, FloatArray]:
        values = np.zeros(encoded.shape)
        values[:, self.column] = self.margin(encoded)
        return 0.0, values


def planted_model(weight: float) -> CreditModel:
    model = small_credit_model()
    column = [name for name, _ in encoded_columns(model.features)].index("refund_share_90d")
    return replace(model, components=(*model.components, Planted(column, weight)), weights=(*model.weights, 1.0))


def test_a_sound_model_keeps_every_promise() -> None:
    audit = audit_model(small_credit_model(), small_world().dataset.X, SETTINGS)
    assert audit.rows == 60
    assert audit.additivity_error <= 1e-9
    assert (audit.unequal_points, audit.hiding_gains, audit.monotone_breaks) == (0, 0, 0)
    assert audit.hiding_trials > 60 * 8
    assert audit.monotone_trials >= 60 * 6 * 7


def test_the_family_that_dominates_is_named_with_its_share_and_its_heaviest_member() -> None:
    sound = audit_model(small_credit_model(), small_world().dataset.X, SETTINGS).heaviest_family
    dominated = audit_model(planted_model(200.0), small_world().dataset.X, SETTINGS).heaviest_family
    assert sound is not None
    assert dominated is not None
    assert (dominated.family, dominated.feature) == ("refund_share_90d", "refund_share_90d")
    assert dominated.share > 0.9 > sound.share


def test_a_family_weighs_by_the_sum_of_its_members_in_each_row() -> None:
    features = (fact("a1", 1, family="a"), fact("a2", 1, family="a"), fact("b", 1))
    values = np.array([[3.0, -3.0, 1.0], [2.0, -1.0, -2.0]])
    assert heaviest_family(features, values) == HeaviestFamily("b", "b", pytest.approx(1.5 / 2.0))
    assert heaviest_family(features, np.zeros((2, 3))) is None


def test_a_sign_turned_around_is_counted_as_breaks_and_as_gains_from_hiding() -> None:
    audit = audit_model(planted_model(-5.0), small_world().dataset.X, SETTINGS)
    assert audit.monotone_breaks > 60
    assert audit.hiding_gains > 30
    assert audit.additivity_error <= 1e-9


def test_an_addition_in_the_right_direction_breaks_nothing() -> None:
    audit = audit_model(planted_model(+5.0), small_world().dataset.X, SETTINGS)
    assert (audit.monotone_breaks, audit.hiding_gains) == (0, 0)


def test_the_same_seed_tries_the_same_rows() -> None:
    model, X = small_credit_model(), small_world().dataset.X
    assert audit_model(model, X, SETTINGS) == audit_model(model, X, SETTINGS)


def test_rows_that_may_not_be_scored_are_not_tried_and_none_at_all_is_refused() -> None:
    model, X = small_credit_model(), small_world().dataset.X[:100].copy()
    X[:70, [feature.name for feature in model.features].index("months_observed")] = np.nan
    assert audit_model(model, X, SETTINGS).rows == 30
    with pytest.raises(ValueError, match="no row"):
        audit_model(model, X[:70], SETTINGS)


def test_progress_counts_every_feature_that_is_moved() -> None:
    recorder = Recorder()
    model = small_credit_model()
    audit_model(model, small_world().dataset.X, SETTINGS, recorder)
    assert recorder.phases == [("features moved step by step", len(model.features))]
    assert recorder.is_complete

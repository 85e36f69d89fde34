from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import shap

from data_contracts.errors import InternalFault
from models.components.calibration import AffineCalibrator
from tests.factories.models import small_credit_model, small_world, train_small_model

MODEL = small_credit_model()
WORLD = small_world()
X = WORLD.dataset.X


def test_contributions_add_up_to_the_log_odds() -> None:
    base, values, log_odds = MODEL.contributions(X)
    assert np.abs(base + values.sum(axis=1) - log_odds).max() < 1e-9
    assert np.array_equal(log_odds, MODEL.log_odds(X))


def test_contributions_of_trees_equal_the_reference_tree_explainer() -> None:
    model = train_small_model(WORLD.dataset, blend=False)
    encoded = model.encode(X[:300])
    reference = shap.TreeExplainer(model.components[0].booster, feature_perturbation="tree_path_dependent")
    expected = reference.shap_values(encoded)
    base, values = model.components[0].contributions(encoded)
    assert np.abs(values - expected).max() < 1e-9
    assert base == pytest.approx(float(np.ravel(reference.expected_value)[0]), abs=1e-9)


def test_both_columns_of_a_two_sided_feature_count_for_the_feature() -> None:
    position = MODEL.feature_names.index("customs_payout_ratio")
    assert MODEL.encode(X).shape[1] == 10
    assert MODEL.contributions(X).values.shape[1] == 10
    assert np.abs(MODEL.contributions(X).values[:, position]).max() > 0.05


def test_a_feature_set_aside_contributes_nothing() -> None:
    position = MODEL.feature_names.index("site_session_trend")
    assert not MODEL.contributions(X).values[:, position].any()


def test_a_row_without_a_required_feature_gets_no_number() -> None:
    rows = X[:3].copy()
    rows[1, MODEL.feature_names.index("months_observed")] = np.nan
    assert MODEL.missing_required(rows).tolist() == [False, True, False]
    assert np.isnan(MODEL.probability(rows)).tolist() == [False, True, False]
    assert np.isnan(MODEL.contributions(rows).values).all(axis=1).tolist() == [False, True, False]
    with pytest.raises(ValueError, match="refuse it"):
        MODEL.score(rows)


def test_the_score_without_reasons_is_the_score_with_reasons() -> None:
    assert np.array_equal(MODEL.score(X), MODEL.issue_points(MODEL.contributions(X)).score)


def test_a_higher_probability_never_has_a_higher_score_or_a_better_grade() -> None:
    order = np.argsort(MODEL.probability(X))
    assert (np.diff(MODEL.score(X)[order]) <= 0).all()
    assert (np.diff(MODEL.grades.index_of(MODEL.probability(X)[order])) >= 0).all()


def test_the_model_ranks_near_the_truth_on_sellers_it_has_not_seen() -> None:
    from tests.factories.models import world

    unseen = world(seed=99)
    agreement = np.corrcoef(unseen.true_log_odds, MODEL.log_odds(unseen.dataset.X))[0, 1]
    assert agreement > 0.8


def test_interval_holds_the_probability_and_widens_with_the_level() -> None:
    probability = MODEL.probability(X)
    lower, upper = MODEL.calibrator.probability_interval(MODEL.margin(X), 0.9)
    wider_lower, wider_upper = MODEL.calibrator.probability_interval(MODEL.margin(X), 0.99)
    assert (lower <= probability).all()
    assert (probability <= upper).all()
    assert (wider_lower <= lower).all()
    assert (upper <= wider_upper).all()


def test_weights_scale_the_margin_of_each_component() -> None:
    encoded = MODEL.encode(X)
    parts = [component.margin(encoded) for component in MODEL.components]
    assert np.allclose(MODEL.margin(X), 0.6 * parts[0] + 0.4 * parts[1], atol=1e-12)


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        replace(MODEL, weights=(1.5, -0.5))


def test_another_calibrator_moves_probabilities_and_not_the_order() -> None:
    moved = replace(MODEL, calibrator=AffineCalibrator(slope=2.0, intercept=-1.0))
    assert np.array_equal(np.argsort(moved.margin(X)), np.argsort(MODEL.margin(X)))
    assert np.allclose(moved.log_odds(X), -1.0 + 2.0 * MODEL.margin(X))


def test_a_matrix_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="columns"):
        MODEL.probability(X[:, 1:])


def test_an_empty_batch_has_empty_results() -> None:
    nobody = X[:0]
    assert MODEL.probability(nobody).shape == (0,)
    assert MODEL.issue_points(MODEL.contributions(nobody)).points.shape == (0, 10)


@pytest.mark.parametrize("weight", [-0.1, np.inf, np.nan])
def test_a_weight_that_is_negative_or_not_finite_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        replace(MODEL, weights=(*MODEL.weights[:-1], weight))
    replace(MODEL, weights=(*MODEL.weights[:-1], 0.0))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_model_has_a_weight_for_each_of_its_components(count: int) -> None:
    assert len(MODEL.components) == 2
    with pytest.raises(ValueError, match="one weight for each"):
        replace(MODEL, weights=(1.0,) * count)
    with pytest.raises(ValueError, match="at least one component"):
        replace(MODEL, components=(), weights=())


@dataclass(frozen=True)
class Liar:
    """A component whose contributions exceed its margin by so much."""

    excess: float
    kind: str = "liar"

    def margin(self, encoded: np.ndarray) -> np.ndarray:
        return np.zeros(len(encoded))

    def contributions(self, encoded: np.ndarray) -> tuple[float, np.ndarray]:
        return self.excess, np.zeros(encoded.shape)


@pytest.mark.filterwarnings("ignore:All-NaN")
def test_contributions_that_do_not_add_up_are_a_fault_of_the_program() -> None:
    plain = replace(
        MODEL, components=(Liar(0.0),), weights=(1.0,), calibrator=AffineCalibrator(slope=1.0, intercept=0.0)
    )
    replace(plain, components=(Liar(1e-10),)).contributions(X[:3])
    for excess in (1e-8, np.nan):
        with pytest.raises(InternalFault):
            replace(plain, components=(Liar(excess),)).contributions(X[:3])

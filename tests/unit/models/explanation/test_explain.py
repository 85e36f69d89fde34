"""The explanation of a model agrees with the model."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.components.model import CreditModel
from models.explanation.explain import explain_model
from models.explanation.explanation import Dependence, ExplainSettings, Explanation
from models.explanation.reason_tests import try_reasons
from tests.factories.models import small_credit_model, small_world

if TYPE_CHECKING:
    from models.components.encoding import FloatArray

SETTINGS = ExplainSettings(tested_rows=200)


def explain(model: CreditModel, X: FloatArray, settings: ExplainSettings = SETTINGS) -> Explanation:
    sample = small_world().dataset
    days = [day.astype(object) for day in sample.as_of]
    return explain_model(model, X, [str(seller) for seller in sample.seller_id[: len(X)]], days[: len(X)], settings)


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    return explain(small_credit_model(), small_world().dataset.X)


def dependence_of(explanation: Explanation, feature: str) -> Dependence:
    return next(one for one in explanation.dependence if one.feature == feature)


def test_reasons_add_up_in_every_row(explanation: Explanation) -> None:
    assert explanation.additivity.rows == small_world().dataset.n
    assert explanation.additivity.largest_gap < 1e-9
    assert explanation.additivity.unequal_scores == 0


def test_local_explanations_add_up_to_the_score_of_that_seller(explanation: Explanation) -> None:
    model, sample = small_credit_model(), small_world().dataset
    score = model.score(sample.X)
    assert [local.role for local in explanation.local] == ["strongest", "near_cut_off", "weakest"]
    for local in explanation.local:
        assert local.base_points + sum(line.points for line in local.lines) + local.all_others == local.score
        assert len(local.lines) <= SETTINGS.lines
    strongest, nearest, weakest = explanation.local
    assert (strongest.score, weakest.score) == (score.max(), score.min())
    gap = np.abs(model.probability(sample.X) - explanation.cut_off_probability)
    assert abs(nearest.probability - explanation.cut_off_probability) == pytest.approx(gap.min())


def test_a_long_explanation_leaves_nothing_to_all_others(explanation: Explanation) -> None:
    model, sample = small_credit_model(), small_world().dataset
    whole = explain(model, sample.X[:50], dataclasses.replace(SETTINGS, lines=99))
    assert all(local.all_others == 0 for local in whole.local)
    short = explain(model, sample.X[:50], dataclasses.replace(SETTINGS, lines=1))
    assert any(local.all_others != 0 for local in short.local)


def test_importance_is_the_mean_size_of_points_and_shares_sum_to_one(explanation: Explanation) -> None:
    model, sample = small_credit_model(), small_world().dataset
    points = -model.scale.factor * model.contributions(sample.X).values
    by_name = dict(zip(model.feature_names, np.abs(points).mean(axis=0), strict=True))
    for feature in explanation.features:
        assert feature.mean_absolute_points == pytest.approx(by_name[feature.name])
    weights = [feature.mean_absolute_points for feature in explanation.features]
    assert weights == sorted(weights, reverse=True)
    for groups in (explanation.features, explanation.families, explanation.pillars):
        assert sum(group.share for group in groups) == pytest.approx(1)


def test_a_family_that_offsets_itself_weighs_less_than_its_features(explanation: Explanation) -> None:
    family = next(group for group in explanation.families if group.name == "payout_sum")
    members = [feature for feature in explanation.features if feature.family == "payout_sum"]
    assert family.features == len(members) == 2
    assert family.mean_absolute_points <= sum(member.mean_absolute_points for member in members) + 1e-9


def test_dependence_agrees_with_the_direction_that_the_trees_were_held_to(explanation: Explanation) -> None:
    verdicts = {one.feature: one.verdict for one in explanation.dependence}
    assert verdicts["refund_share_90d"] == "consistent"
    assert verdicts["payout_sum_90d"] == "consistent"
    assert verdicts["customs_payout_ratio"] == "consistent"
    assert verdicts["months_observed"] == "unconstrained"
    assert verdicts["site_session_trend"] == "unused"
    refunds = dependence_of(explanation, "refund_share_90d")
    assert refunds.bins[0].mean_points > 0 > refunds.bins[-1].mean_points


def test_a_feature_that_works_the_other_way_is_called_against() -> None:
    model, sample = small_credit_model(), small_world().dataset
    turned = tuple(
        feature.model_copy(update={"direction": -feature.direction}) if feature.name == "payout_sum_90d" else feature
        for feature in model.features
    )
    # The words change, the components do not: both ends of the encoding stay inside the training range.
    explained = explain(dataclasses.replace(model, features=turned), np.nan_to_num(sample.X))
    assert dependence_of(explained, "payout_sum_90d").verdict == "against"


def test_dependence_counts_every_row_once(explanation: Explanation) -> None:
    for one in explanation.dependence:
        assert sum(group.rows for group in one.bins) + one.missing_rows == explanation.explained
        assert [group.value for group in one.bins] == sorted(group.value for group in one.bins)
        assert (one.missing_points is None) == (one.missing_rows == 0)


def test_hiding_a_constrained_feature_is_as_bad_as_its_worst_value(explanation: Explanation) -> None:
    refunds = dependence_of(explanation, "refund_share_90d")
    assert refunds.missing_rows > 0
    assert refunds.missing_points is not None
    assert refunds.missing_points <= refunds.bins[-1].mean_points + 1


def test_a_large_population_is_sampled_and_marked_as_such() -> None:
    sample = small_world().dataset
    found = explain(small_credit_model(), sample.X, dataclasses.replace(SETTINGS, largest_sample=150))
    assert (found.population, found.explained, found.additivity.rows) == (sample.n, 150, 150)


def test_rows_that_may_not_be_scored_are_counted_and_left_out() -> None:
    X = small_world().dataset.X[:40].copy()
    X[:7, 8] = np.nan
    found = explain(small_credit_model(), X)
    assert (found.population, found.refused, found.explained) == (40, 7, 33)
    with pytest.raises(ValueError, match="no row"):
        explain(small_credit_model(), X[:7])


def test_reasons_survive_their_trials(explanation: Explanation) -> None:
    trials = explanation.reason_tests
    assert trials.reset_rows > 30
    assert trials.faithful_share is not None
    assert trials.faithful_share >= 0.95
    assert trials.same_first_share is not None
    assert trials.same_two_share is not None
    assert trials.same_first_share >= trials.same_two_share > 0.7


def test_reasons_that_are_not_moved_do_not_change() -> None:
    model, sample = small_credit_model(), small_world().dataset
    contributions = model.contributions(sample.X)
    points = model.issue_points(contributions).points
    still = dataclasses.replace(SETTINGS, movement=0.0)
    found = try_reasons(model, sample.X, contributions.log_odds, points, still)
    assert (found.same_first_share, found.same_two_share) == (1.0, 1.0)


def test_the_explanation_is_json_and_the_same_twice(explanation: Explanation) -> None:
    text = json.dumps(explanation.to_dict(), allow_nan=False, sort_keys=True)
    again = explain(small_credit_model(), small_world().dataset.X)
    assert text == json.dumps(again.to_dict(), allow_nan=False, sort_keys=True)

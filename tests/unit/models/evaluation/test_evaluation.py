"""Whole evaluations on samples with a known answer."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from models.evaluation import Evaluation, EvaluationSettings, evaluate, evaluate_repeats
from models.evaluation.bootstrap import MEASURES, Outcomes, auc_draws, draw_counts
from models.evaluation.discrimination import auc
from models.evaluation.estimates import estimate_from_draws, to_json_value
from models.evaluation.evaluate import POOLED_SEGMENT
from models.evaluation.power import COMPARED_MEASURES, detectable_gain
from models.evaluation.rates import grade_table, jeffreys_interval, jeffreys_p_value
from models.evaluation.stability import pool_small_parts, stability_score
from tests.factories.evaluation import GRADES, holdout, out_of_fold

if TYPE_CHECKING:
    from collections.abc import Callable

TRUE_AUC = 0.776
"""AUC of the factory's champion, whose probabilities are those of the outcomes."""

SETTINGS = EvaluationSettings(
    baselines=("scorecard", "coin"),
    ablations=("without_liquidity",),
    grade_order=GRADES,
    segment_columns=("main_channel",),
    draws=300,
)


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    return holdout()


@pytest.fixture(scope="module")
def evaluation(sample: pd.DataFrame) -> Evaluation:
    return evaluate(sample, SETTINGS)


def test_every_measure_lies_in_its_interval(evaluation: Evaluation) -> None:
    for model in evaluation.models:
        assert set(model.measures) == set(COMPARED_MEASURES if model.role == "ablation" else MEASURES)
        for measure in model.measures.values():
            assert measure.lower <= measure.value <= measure.upper
            assert measure.draws == SETTINGS.draws


def test_a_model_that_states_the_true_probabilities_is_found_calibrated(evaluation: Evaluation) -> None:
    slope = evaluation.champion.measures["calibration_slope"]
    ratio = evaluation.champion.measures["expected_to_observed"]
    assert slope.lower < 1 < slope.upper
    assert ratio.lower < 1 < ratio.upper
    assert evaluation.grades.is_monotone
    assert evaluation.grades.total.understated > 0.01


def test_a_true_improvement_is_claimed_and_an_invisible_one_is_not(evaluation: Evaluation) -> None:
    assert evaluation.difference("coin").verdict == "better"
    small = evaluation.difference("without_liquidity")
    assert small.gain.value < small.detectable_gain
    assert small.verdict == "not_shown"


def test_a_lower_loss_is_better(evaluation: Evaluation) -> None:
    assert evaluation.difference("coin", "brier").gain.value > 0
    assert evaluation.difference("coin", "log_loss").gain.value > 0


def test_a_worse_champion_is_called_worse(sample: pd.DataFrame) -> None:
    settings = EvaluationSettings(champion="coin", baselines=("champion",), draws=100)
    assert evaluate(sample, settings).difference("champion").verdict == "worse"


def test_a_model_does_not_beat_itself(sample: pd.DataFrame) -> None:
    twin = sample.assign(pd_twin=sample["pd_champion"])
    found = evaluate(twin, EvaluationSettings(baselines=("twin",), draws=50)).difference("twin")
    assert (found.gain.value, found.gain.lower, found.gain.upper) == (0, 0, 0)
    assert found.verdict == "identical"


def test_drawing_whole_components_widens_the_interval_of_related_sellers() -> None:
    alone = holdout(rows=600)
    related = pd.concat([alone] * 4, ignore_index=True)
    label, probability = related["label"].to_numpy(), related["pd_champion"].to_numpy()
    as_rows = Outcomes(label, np.arange(2400))
    as_copies = Outcomes(label, np.tile(np.arange(600), 4))
    spread = [
        auc_draws(outcomes, probability, draw_counts(clusters, 400, seed=1)).std()
        for outcomes, clusters in ((as_rows, 2400), (as_copies, 600))
    ]
    assert spread[1] > 1.6 * spread[0]


def test_the_interval_covers_the_truth_about_as_often_as_claimed() -> None:
    inside = 0
    for seed in range(60):
        drawn = holdout(rows=400, components=400, seed=seed)
        label, champion = drawn["label"].to_numpy(), drawn["pd_champion"].to_numpy()
        draws = auc_draws(Outcomes(label, np.arange(400)), champion, draw_counts(400, 150, seed))
        found = estimate_from_draws(auc(label, champion), draws)
        inside += found.lower < TRUE_AUC < found.upper
    whole = holdout(rows=200_000, components=200_000, seed=1)
    assert auc(whole["label"].to_numpy(), whole["pd_champion"].to_numpy()) == pytest.approx(TRUE_AUC, abs=0.003)
    assert inside >= 51


def test_quarters_and_segments_count_every_row_once(evaluation: Evaluation, sample: pd.DataFrame) -> None:
    assert [part.part for part in evaluation.periods] == ["2024 Q1", "2024 Q2", "2024 Q3", "2024 Q4"]
    assert sum(part.rates.rows for part in evaluation.periods) == len(sample)
    (channels,) = evaluation.segments
    assert sum(part.rates.bad for part in channels.parts) == sample["label"].sum()
    assert sum(row.rows for row in evaluation.bands) == len(sample)
    assert sum(row.rows for row in evaluation.grades.rows) == len(sample)


def test_small_groups_are_shown_only_together(sample: pd.DataFrame) -> None:
    rare = sample.assign(main_channel=np.where(sample.index < 8, "rare", sample["main_channel"]))
    (channels,) = evaluate(rare, SETTINGS).segments
    assert {part.part for part in channels.parts} == {"platform", "own site", POOLED_SEGMENT}
    assert pool_small_parts(["a", "a", "b"], ["1", "1", "2"], 2, "rest") == ["rest", "rest", "rest"]


def test_a_part_with_too_few_bad_sellers_has_rates_and_no_auc(sample: pd.DataFrame) -> None:
    quiet = sample.assign(label=sample["label"].where(sample["as_of"] != sample["as_of"][0], 0))
    first = evaluate(quiet, SETTINGS).periods[0]
    assert first.auc is None
    assert first.rates.observed == 0


def test_the_random_split_is_reported_as_a_contrast(sample: pd.DataFrame) -> None:
    contrast = evaluate(sample, SETTINGS, random_split=holdout(seed=8)).contrast
    assert contrast.rows == 2000
    own = evaluate(sample, SETTINGS).champion.measures["auc"].value
    assert contrast.optimism == pytest.approx(contrast.auc.value - own)


def test_the_result_is_json_and_the_same_twice(evaluation: Evaluation, sample: pd.DataFrame) -> None:
    text = json.dumps(evaluation.to_dict(), allow_nan=False, sort_keys=True)
    assert text == json.dumps(evaluate(sample, SETTINGS).to_dict(), allow_nan=False, sort_keys=True)
    assert json.loads(text)["sample"]["first_as_of"] == "2024-03-31"


def test_an_undefined_figure_becomes_null_and_a_foreign_type_is_refused() -> None:
    assert to_json_value({"a": math.nan, "b": (1, True)}) == {"a": None, "b": [1, True]}
    with pytest.raises(TypeError, match="set"):
        to_json_value({1, 2})


def test_the_order_of_rows_changes_nothing(evaluation: Evaluation, sample: pd.DataFrame) -> None:
    shuffled = evaluate(sample.sample(frac=1, random_state=1), SETTINGS)
    for name in ("auc", "brier", "calibration_slope"):
        assert shuffled.champion.measures[name].lower == pytest.approx(
            evaluation.champion.measures[name].lower, abs=1e-9
        )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"pd_champion": 1.2}, "not probabilities"),
        ({"pd_champion": math.nan}, "not probabilities"),
        ({"label": 2}, "labels must be"),
    ],
)
def test_values_that_cannot_be_are_refused(sample: pd.DataFrame, change: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        evaluate(sample.assign(**change), SETTINGS)


def test_missing_columns_are_named(sample: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="pd_scorecard"):
        evaluate(sample.drop(columns=["pd_scorecard"]), SETTINGS)


def test_an_unknown_grade_is_refused() -> None:
    with pytest.raises(ValueError, match="Z"):
        grade_table(np.array([0, 1]), np.array([0.1, 0.2]), ["A", "Z"], ["A"])


def test_grades_that_fall_are_not_monotone_and_empty_grades_do_not_matter() -> None:
    label, probability = np.array([1, 0, 0, 0]), np.array([0.1, 0.1, 0.3, 0.3])
    assert not grade_table(label, probability, ["A", "A", "C", "C"], ["A", "B", "C"]).is_monotone
    assert grade_table(label[::-1], probability, ["A", "A", "C", "C"], ["A", "B", "C"]).is_monotone


def test_jeffreys_interval_holds_most_of_the_posterior() -> None:
    lower, upper = jeffreys_interval(7, 90)
    assert beta.cdf(upper, 7.5, 83.5) - beta.cdf(lower, 7.5, 83.5) == pytest.approx(0.95)
    assert jeffreys_interval(0, 10)[0] == 0
    assert jeffreys_interval(10, 10)[1] == 1
    assert jeffreys_p_value(20, 100, 0.05) < 0.001


def test_detectable_gain_is_found_with_the_promised_power() -> None:
    smallest = detectable_gain(0.01)
    tests = np.random.default_rng(0).normal(smallest, 0.01, 200_000) / 0.01
    assert (np.abs(tests) > 1.96).mean() == pytest.approx(0.8, abs=0.01)


def test_a_falling_gini_lowers_stability() -> None:
    assert stability_score([0.5, 0.5, 0.5]) == pytest.approx(0.5)
    assert stability_score([0.526, 0.5, 0.474]) == pytest.approx(0.5 - 88 * 0.002)
    assert stability_score([0.48, 0.5, 0.52]) == pytest.approx(0.5)
    assert stability_score([0.5, 0.4]) is None


REPEATED = EvaluationSettings(baselines=("single",), grade_order=GRADES, draws=200, bands=4)


def test_repeats_are_averaged_and_sellers_are_what_is_drawn() -> None:
    frame = out_of_fold()
    found = evaluate_repeats(frame, REPEATED)
    by_repeat = [auc(part["label"].to_numpy(), part["pd_champion"].to_numpy()) for _, part in frame.groupby("repeat")]
    assert found.protocol == "repeated_cross_validation"
    assert found.champion.measures["auc"].value == pytest.approx(np.mean(by_repeat))
    assert found.champion.spread_over_repeats == pytest.approx(np.std(by_repeat, ddof=1))
    assert (found.sample.rows, found.sample.components, found.sample.repeats) == (120, 120, 5)


def test_more_repeats_do_not_shrink_the_interval_that_few_sellers_set() -> None:
    few, many = (evaluate_repeats(out_of_fold(repeats=count), REPEATED) for count in (3, 30))
    width = [one.champion.measures["auc"].upper - one.champion.measures["auc"].lower for one in (few, many)]
    assert width[1] > 0.75 * width[0]


def test_parts_of_the_brier_score_add_up_over_repeats() -> None:
    champion = evaluate_repeats(out_of_fold(), REPEATED).champion
    parts = champion.brier_parts
    assert parts.reliability - parts.resolution + parts.uncertainty == pytest.approx(champion.measures["brier"].value)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda frame: frame.iloc[1:], "exactly once"),
        (lambda frame: frame.assign(repeat=0), "exactly once"),
        (lambda frame: frame.assign(label=(frame["repeat"] % 2)), "label differs"),
    ],
)
def test_repeats_that_do_not_match_are_refused(spoil: Callable[[pd.DataFrame], pd.DataFrame], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        evaluate_repeats(spoil(out_of_fold()), REPEATED)

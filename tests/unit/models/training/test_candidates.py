from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from data_contracts.errors import ConfigurationRefused, GateFailed
from models.components.encoding import EncodingSettings
from models.settings import TrainingSettings
from models.training.candidates import (
    BEST_SINGLE,
    KINDS,
    Candidate,
    nested_cross_validation,
    predictions,
    train_candidate,
)
from models.training.dataset import Dataset
from models.training.tuning import Sample, cross_fitted_log_odds, gbm_grid, plan_folds
from tests.factories.models import WORLD_TWO_SIDED, fact, small_world, world
from tests.factories.progress import Recorder

ENCODING = EncodingSettings(two_sided=WORLD_TWO_SIDED)
SETTINGS = TrainingSettings(fits=8, max_rounds=80, encoding=ENCODING)
UNSEEN = world(n=3000, seed=99)


@lru_cache(maxsize=1)
def candidate() -> Candidate:
    return train_candidate(small_world().dataset, SETTINGS)


def auc(model_name: str) -> float:
    y = UNSEEN.dataset.y
    p = candidate().models[model_name].probability(UNSEEN.dataset.X)
    return float(np.mean(p[y == 1][:, None] > p[y == 0]))


def test_the_champion_beats_the_best_single_variable_and_not_the_truth() -> None:
    y, truth = UNSEEN.dataset.y, UNSEEN.true_log_odds
    assert auc(BEST_SINGLE) + 0.03 < auc("champion") < float(np.mean(truth[y == 1][:, None] > truth[y == 0]))


def test_every_kind_and_an_ablation_of_every_pillar_are_reported_with_the_champion() -> None:
    pillars = {f"without_{fact.pillar}" for fact in small_world().dataset.facts}
    assert set(candidate().baselines) == {*KINDS, BEST_SINGLE, *pillars}
    assert candidate().champion is candidate().baselines[candidate().champion_kind]


def test_removing_the_strongest_pillar_loses_most() -> None:
    lost = {name: auc("champion") - auc(name) for name in candidate().baselines if name.startswith("without_")}
    assert max(lost, key=lambda name: lost[name]) == "without_sales_health"
    assert lost["without_sales_health"] > 0.01


def test_an_ablation_does_not_look_at_its_pillar() -> None:
    model = candidate().baselines["without_liquidity"]
    column = model.feature_names.index("reserve_share_90d")
    changed = UNSEEN.dataset.X.copy()
    changed[:, column] = 1e6
    assert np.array_equal(model.margin(changed), model.margin(UNSEEN.dataset.X))


def test_predicted_and_observed_default_rates_agree_on_unseen_sellers() -> None:
    for kind in KINDS:
        p = candidate().models[kind].probability(UNSEEN.dataset.X)
        assert p.mean() == pytest.approx(UNSEEN.dataset.y.mean(), abs=0.03)


def test_the_same_sample_and_settings_make_the_same_candidate() -> None:
    again = train_candidate(small_world().dataset, SETTINGS)
    assert again.champion == candidate().champion
    assert again.tuning == candidate().tuning
    assert again.out_of_fold.equals(candidate().out_of_fold)


def test_out_of_fold_frame_has_every_training_row_once_a_repeat() -> None:
    frame = candidate().out_of_fold
    dataset = small_world().dataset
    assert frame["seller_id"].tolist() == dataset.seller_id.tolist()
    assert set(frame["fold"]) == {0, 1, 2, 3}
    assert frame[[*KINDS, "champion", BEST_SINGLE]].notna().all(axis=None)
    assert (frame.groupby("component_id")["fold"].nunique() == 1).all()


def test_the_tuning_log_lists_every_trial_within_the_budget() -> None:
    kinds = [trial.kind for trial in candidate().tuning]
    assert kinds.count("gbm") == 2
    assert {"linear", "scorecard", "blend"} < set(kinds)
    assert all(0.1 < trial.log_loss < 0.7 for trial in candidate().tuning)


def test_a_linear_model_not_beaten_beyond_noise_stays_champion() -> None:
    generator = np.random.default_rng(4)
    n = 1500
    X = generator.normal(size=(n, 3))
    y = (generator.random(n) < 1 / (1 + np.exp(2.0 - X.sum(axis=1)))).astype(np.int8)
    names = np.arange(n).astype(np.str_)
    facts = tuple(fact(name, 1) for name in "abc")
    additive = Dataset(X, y, names, np.full(n, np.datetime64("2022-01-01")), names, facts)
    assert train_candidate(additive, TrainingSettings(fits=4, max_rounds=60)).champion_kind == "linear"


def test_trees_win_where_risk_is_not_additive() -> None:
    generator = np.random.default_rng(5)
    n = 4000
    X = generator.normal(size=(n, 2))
    both = (X > 0.3).all(axis=1)
    y = (generator.random(n) < np.where(both, 0.8, 0.05)).astype(np.int8)
    names = np.arange(n).astype(np.str_)
    joint = Dataset(X, y, names, np.full(n, np.datetime64("2022-01-01")), names, (fact("a", 1), fact("b", 1)))
    trained = train_candidate(joint, TrainingSettings(fits=4, max_rounds=100, ablations=False))
    assert trained.champion_kind in {"gbm", "blend"}


def test_the_best_single_variable_ranks_as_the_raw_variable() -> None:
    dataset = small_world().dataset
    name = str(candidate().notes["best_single_variable"])
    column = dataset.feature_names.index(name)
    known = np.isfinite(dataset.X[:, column])
    raw = dataset.X[known, column] * dataset.facts[column].direction
    risk = candidate().models[BEST_SINGLE].margin(dataset.X)[known]
    assert np.array_equal(np.argsort(risk, kind="stable"), np.argsort(raw, kind="stable"))
    other = np.arange(dataset.X.shape[1]) != column
    blank = np.where(other, 0.0, dataset.X)
    assert np.array_equal(candidate().models[BEST_SINGLE].margin(blank)[known], risk)


def test_a_blend_mixes_trees_with_the_better_of_linear_model_and_scorecard() -> None:
    losses: dict[str, list[float]] = {}
    for trial in candidate().tuning:
        losses.setdefault(trial.kind, []).append(trial.log_loss)
    better = min(("linear", "scorecard"), key=lambda kind: min(losses[kind]))
    blend = candidate().baselines["blend"]
    assert [component.kind for component in blend.components] == ["lightgbm", better]
    assert blend.components[1] == candidate().baselines[better].components[0]


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_champion_can_be_set(kind: str) -> None:
    dataset = world(600, seed=5).dataset
    settings = TrainingSettings(champion=kind, fits=4, max_rounds=10, ablations=False, encoding=ENCODING)
    trained = train_candidate(dataset, settings)
    assert trained.champion_kind == kind
    assert len(trained.champion.components) == (2 if kind == "blend" else 1)


def test_a_leak_stops_training() -> None:
    dataset = small_world().dataset
    leaking = Dataset(
        np.column_stack([dataset.X, dataset.y]),
        dataset.y,
        dataset.seller_id,
        dataset.as_of,
        dataset.component_id,
        (*dataset.facts, fact("recovery_calls", 1)),
    )
    with pytest.raises(GateFailed, match="recovery_calls"):
        train_candidate(leaking, SETTINGS)


def test_a_sample_too_small_for_its_folds_is_refused() -> None:
    tiny = small_world().dataset.rows(np.arange(12))
    with pytest.raises(ConfigurationRefused, match="lacks one of the outcomes"):
        train_candidate(tiny, SETTINGS)


def test_a_feature_set_without_a_usable_feature_is_refused() -> None:
    encoding = EncodingSettings(set_aside=small_world().dataset.feature_names)
    with pytest.raises(ConfigurationRefused, match="no feature"):
        train_candidate(small_world().dataset, SETTINGS.model_copy(update={"encoding": encoding}))


def test_noise_teaches_nothing_and_everybody_gets_about_the_base_rate() -> None:
    dataset = world(1200, seed=8).dataset
    shuffled = np.random.default_rng(1).permutation(dataset.y)
    noise = Dataset(dataset.X, shuffled, dataset.seller_id, dataset.as_of, dataset.component_id, dataset.facts)
    trained = train_candidate(noise, SETTINGS.model_copy(update={"ablations": False}))
    p = trained.champion.probability(UNSEEN.dataset.X)
    assert np.quantile(p, 0.95) < 2.0 * shuffled.mean()
    assert np.quantile(p, 0.05) > 0.4 * shuffled.mean()


def test_predictions_hold_every_model_and_nan_where_a_row_may_not_be_scored() -> None:
    dataset = UNSEEN.dataset.rows(np.arange(5))
    dataset.X[2, dataset.feature_names.index("months_observed")] = np.nan
    frame = predictions(candidate().models, dataset)
    assert list(frame.columns[:4]) == ["seller_id", "as_of", "label", "component_id"]
    assert set(frame.columns[4:]) == set(candidate().models)
    assert frame["champion"].isna().tolist() == [False, False, True, False, False]


def test_nested_cross_validation_holds_out_every_row_once_a_repeat() -> None:
    dataset = world(240, seed=6).dataset
    settings = TrainingSettings(
        fold_kind="stratified", folds=3, fits=3, max_rounds=15, ablations=False, encoding=ENCODING
    )
    frame = nested_cross_validation(dataset, settings, folds=3, repeats=2)
    assert len(frame) == 2 * dataset.n
    assert (frame.groupby("repeat")["seller_id"].nunique() == dataset.n).all()
    assert frame.drop(columns=["seller_id", "as_of", "component_id"]).notna().all(axis=None)


def test_the_calibrator_of_a_fold_has_not_seen_the_fold() -> None:
    generator = np.random.default_rng(2)
    n = 400
    margin = generator.normal(size=(1, n))
    y = (generator.random(n) < 0.3).astype(np.int8)
    folds = plan_folds(small_world().dataset.rows(np.arange(n)), "component", 4, 1, 0)
    sample = Sample(np.empty((n, 0)), y, np.arange(n).astype(np.str_), (), folds)
    turned = np.where(folds[0] == 1, 1 - y, y).astype(np.int8)
    before, after = (cross_fitted_log_odds(margin, sample._replace(y=each)) for each in (y, turned))
    assert np.array_equal(before[0, folds[0] == 1], after[0, folds[0] == 1])
    assert not np.array_equal(before[0, folds[0] == 2], after[0, folds[0] == 2])


def test_more_repeats_of_the_folds_try_no_fewer_boosters() -> None:
    dataset = world(300, seed=5).dataset
    settings = TrainingSettings(
        fold_kind="stratified", folds=3, repeats=2, fits=9, max_rounds=5, ablations=False, encoding=ENCODING
    )
    kinds = [trial.kind for trial in train_candidate(dataset, settings).tuning]
    assert dataset.y.sum() < 150
    assert kinds.count("gbm") == 3 == len(gbm_grid(dataset.n, int(dataset.y.sum())))


def test_few_defaults_are_met_with_very_small_trees() -> None:
    assert max(parameters.leaves for parameters in gbm_grid(123, 27)) <= 5
    assert max(parameters.leaves for parameters in gbm_grid(20_000, 900)) >= 16


def test_progress_counts_every_fit_and_changes_none() -> None:
    recorder = Recorder()
    followed = train_candidate(small_world().dataset, SETTINGS, recorder)
    assert recorder.names == ["boosters fitted", "pillars left out in turn"]
    assert recorder.is_complete
    assert followed.tuning == candidate().tuning


def test_progress_of_nested_cross_validation_counts_folds() -> None:
    recorder = Recorder()
    settings = SETTINGS.model_copy(update={"ablations": False, "fits": 1, "max_rounds": 5})
    nested_cross_validation(small_world().dataset, settings, folds=2, repeats=2, progress=recorder)
    assert recorder.phases == [("folds trained", 4)]
    assert recorder.is_complete

"""Quick fits with the project's own components: a booster of tuned size, a binned scorecard and a linear model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from models.components.encoding import encode_matrix, encoded_columns, fit_encoding
from models.components.gbm import fit_gbm
from models.components.linear import fit_linear
from models.components.scorecard import fit_scorecard
from models.components.settings import FitSettings
from models.evaluation.discrimination import auc
from models.explanation.explain import group_importance
from models.training.tuning import Sample, gbm_grid, plan_folds, tune_gbm, tune_linear, tune_scorecard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from models.components.encoding import FloatArray, ModelFeature
    from models.components.gbm import GbmParameters, LightGbmComponent
    from models.settings import TrainingSettings
    from models.training.dataset import Dataset

MOST_ROUNDS = 800
PATIENCE = 50
SEEDS_OF_A_WORLD = 6


@dataclass(frozen=True)
class Boosters:
    """Rounds and seeds of the boosters to compare.

    The random draws of a seed, above all the features of each tree, move the AUC. With the same seeds in all worlds,
    their luck would stay in the mean over worlds.
    """

    rounds: int
    seeds: tuple[int, ...]

    @property
    def few(self) -> Boosters:
        """Two of them, for figures that are means over many samples anyway."""
        return replace(self, seeds=self.seeds[:2])


def tuned_boosters(train: Dataset, settings: TrainingSettings, world_seed: int) -> Boosters:
    """Return seeds that belong to a world, and the rounds chosen once by component folds of its training rows."""
    seeds = tuple(range(SEEDS_OF_A_WORLD * world_seed, SEEDS_OF_A_WORLD * (world_seed + 1)))
    sample = _sample(train, fit_encoding(train.X, train.facts, settings.encoding), settings)
    choice, _ = tune_gbm(sample, _grid(sample), _fit_settings(settings)._replace(seed=seeds[0]))
    return Boosters(choice.rounds, seeds)


def family_aucs(train: Dataset, test: Dataset, settings: TrainingSettings) -> dict[str, float]:
    """Return test AUCs of the simpler families, and the booster's AUC in training and out of fold.

    The single variable is the one that ranks best in training; its AUC is that on the test side.
    """
    features = fit_encoding(train.X, train.facts, settings.encoding)
    sample = _sample(train, features, settings)
    judged = encode_matrix(features, test.X)
    scorecard_choice, _ = tune_scorecard(sample, settings.binning)
    scorecard = fit_scorecard(
        sample.encoded, train.y, sample.directions, scorecard_choice.penalty, settings.binning
    ).margin(judged)
    linear_choice, _ = tune_linear(sample)
    linear = fit_linear(sample.encoded, train.y, sample.directions, linear_choice.penalty).margin(judged)
    single = single_aucs(features, train)
    best = max(single, key=lambda name: single[name])
    return {
        "scorecard": _auc(test.y, scorecard),
        "linear": _auc(test.y, linear),
        "best_single_variable": single_aucs(features, test)[best],
        **training_aucs(sample, settings),
    }


def training_aucs(sample: Sample, settings: TrainingSettings) -> dict[str, float]:
    """Return the booster's AUC on its training rows, and out of fold by component within them."""
    choice, _ = tune_gbm(sample, _grid(sample), _fit_settings(settings))
    fitted = fit_gbm(
        sample.encoded, sample.y, sample.directions, choice.parameters, _fit_settings(settings, choice.rounds)
    )
    return {
        "lightgbm_in_training": _auc(sample.y, fitted.margin(sample.encoded)),
        "lightgbm_out_of_fold": _auc(sample.y, choice.margin[0]),
    }


def booster_auc(train: Dataset, test: Dataset, settings: TrainingSettings, boosters: Boosters) -> float:
    """Return the mean test AUC over the boosters' seeds."""
    features = fit_encoding(train.X, train.facts, settings.encoding)
    judged = encode_matrix(features, test.X)
    fitted = _fitted_boosters(_sample(train, features, settings), settings, boosters)
    return float(np.mean([_auc(test.y, booster.margin(judged)) for booster in fitted]))


def pillar_shares(
    train: Dataset, test: Dataset, settings: TrainingSettings, boosters: Boosters, pillars: Mapping[str, str]
) -> dict[str, float]:
    """Return the weight of every pillar on the test side, as a mean over the boosters' seeds; the shares add up to 1.

    A pillar's weight is the mean absolute value of its SHAP values summed within a row, as on the model's explanation
    page.

    Args:
        train: Training rows.
        test: Rows to explain.
        settings: Settings of the profile.
        boosters: Rounds and seeds.
        pillars: Pillar of every feature, by the feature's name.
    """
    features = fit_encoding(train.X, train.facts, settings.encoding)
    judged = encode_matrix(features, test.X)
    columns = [pillars[feature.name] for feature in features for _ in feature.columns]
    fitted = _fitted_boosters(_sample(train, features, settings), settings, boosters)
    shares = [
        {group.name: group.share for group in group_importance(columns, booster.contributions(judged)[1])}
        for booster in fitted
    ]
    return {name: float(np.mean([one.get(name, 0.0) for one in shares])) for name in sorted(set(pillars.values()))}


def scorecard_auc(train: Dataset, test: Dataset, settings: TrainingSettings) -> float:
    """Return the test AUC of the binned logistic scorecard."""
    features = fit_encoding(train.X, train.facts, settings.encoding)
    sample = _sample(train, features, settings)
    choice, _ = tune_scorecard(sample, settings.binning)
    fitted = fit_scorecard(sample.encoded, train.y, sample.directions, choice.penalty, settings.binning)
    return _auc(test.y, fitted.margin(encode_matrix(features, test.X)))


def single_aucs(features: tuple[ModelFeature, ...], data: Dataset) -> dict[str, float]:
    """Return the AUC of every feature alone in its declared direction, missing values at its worst end."""
    found = {}
    for feature, values in zip(features, data.X.T, strict=True):
        columns = feature.encode(values)
        if columns and feature.treatment != "free":
            risk = np.sum(columns, axis=0) * (feature.direction if feature.treatment == "one_sided" else 1.0)
            found[feature.name] = _auc(data.y, risk)
    return found


def single_feature_aucs(train: Dataset, test: Dataset, settings: TrainingSettings) -> Mapping[str, float]:
    """Return the test AUC of every feature alone, encoded as in training."""
    return single_aucs(fit_encoding(train.X, train.facts, settings.encoding), test)


def without_features(dataset: Dataset, names: set[str]) -> Dataset:
    """Return the same observations without some features."""
    kept = [place for place, name in enumerate(dataset.feature_names) if name not in names]
    return replace(
        dataset, X=np.ascontiguousarray(dataset.X[:, kept]), facts=tuple(dataset.facts[place] for place in kept)
    )


def with_values(dataset: Dataset, values: Mapping[str, FloatArray]) -> Dataset:
    """Return the same observations with other values of some features."""
    X = dataset.X.copy()
    for place, name in enumerate(dataset.feature_names):
        if name in values:
            X[:, place] = values[name]
    return replace(dataset, X=X)


def _sample(train: Dataset, features: tuple[ModelFeature, ...], settings: TrainingSettings) -> Sample:
    folds = plan_folds(train, settings.fold_kind, settings.folds, 1, settings.seed)
    directions = tuple(direction for _, direction in encoded_columns(features))
    return Sample(encode_matrix(features, train.X), train.y, train.component_id, directions, folds)


def _fitted_boosters(sample: Sample, settings: TrainingSettings, boosters: Boosters) -> tuple[LightGbmComponent, ...]:
    parameters = _grid(sample)[0]
    fits = (_fit_settings(settings, boosters.rounds)._replace(seed=seed) for seed in boosters.seeds)
    return tuple(fit_gbm(sample.encoded, sample.y, sample.directions, parameters, fit) for fit in fits)


def _grid(sample: Sample) -> tuple[GbmParameters, ...]:
    return gbm_grid(len(sample.y), int(sample.y.sum()))[:1]


def _fit_settings(settings: TrainingSettings, rounds: int = MOST_ROUNDS) -> FitSettings:
    # One thread: on a few thousand rows a second one costs more time than it saves.
    return FitSettings(settings.seed, 1, rounds, PATIENCE)


def _auc(y: NDArray[np.int8], risk: FloatArray) -> float:
    return auc(y.astype(np.int64), risk)

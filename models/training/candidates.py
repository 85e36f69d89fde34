"""Train a champion, and the baselines it is compared with, from a labelled sample."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.special import expit
from scipy.stats import rankdata

from data_contracts.errors import ConfigurationRefused
from data_contracts.progress import SILENT, counted
from models.components.calibration import fit_affine
from models.components.encoding import encode_matrix, encoded_columns, fit_encoding
from models.components.gbm import fit_gbm
from models.components.levels import LevelColumn, SampleLevels, without_own_outcomes
from models.components.linear import fit_linear
from models.components.model import CreditModel
from models.components.scorecard import fit_scorecard
from models.training.candidate_notes import candidate_notes, column_warnings
from models.training.dataset import component_folds, stratified_folds
from models.training.leaks.check import find_leaks, refuse_leaks
from models.training.tuning import (
    GbmChoice,
    Sample,
    Trial,
    cross_fitted_log_odds,
    gbm_grid,
    plan_folds,
    row_losses,
    tune_blend,
    tune_gbm,
    tune_linear,
    tune_scorecard,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from data_contracts.progress import Progress
    from models.components.calibration import AffineCalibrator
    from models.components.encoding import FloatArray, ModelFeature
    from models.components.model import Component
    from models.settings import TrainingSettings
    from models.training.candidate_notes import ColumnWarning
    from models.training.dataset import Dataset

log = logging.getLogger(__name__)

OnLeak = Literal["refuse", "warn", "skip"]
Kind = Literal["linear", "scorecard", "gbm", "blend"]
KINDS: tuple[Kind, ...] = ("linear", "scorecard", "gbm", "blend")
"""Kinds of champion, simplest first.

A linear model takes one number per column from the outcomes, a scorecard one per bin, a booster also its splits, and a
blend is two models at once.
"""

BEST_SINGLE = "best_single_variable"


@dataclass(frozen=True)
class Candidate:
    """A trained champion and its baselines.

    ``baselines`` holds every kind, the best single variable and ablations named ``without_<pillar>``; all take the same
    matrix as the champion. Ablations carry the champion's parameters and calibrator: they serve to compare rankings.
    ``out_of_fold`` has one row per training observation and repeat: seller_id, as_of, label, component_id, repeat,
    fold, and the calibrated probability of every kind and of the champion. ``warnings`` name every column that is set
    aside or suspected to know the outcome.
    """

    champion: CreditModel
    champion_kind: Kind
    baselines: Mapping[str, CreditModel]
    out_of_fold: pd.DataFrame
    tuning: tuple[Trial, ...]
    notes: Mapping[str, str | int | float]
    warnings: tuple[ColumnWarning, ...] = ()

    @property
    def models(self) -> dict[str, CreditModel]:
        """The champion as ``champion``, and every baseline."""
        return {"champion": self.champion, **self.baselines}


class _Tuned(NamedTuple):
    """The result of tuning, and the out-of-fold margins (repeats, n) it is based on.

    ``penalties`` are those of the linear and the scorecard kind; ``partner`` is the one of them in the blend.
    """

    gbm: GbmChoice
    penalties: dict[Kind, float]
    partner: Kind
    share_of_gbm: float
    margins: dict[str, FloatArray]
    calibrators: dict[str, AffineCalibrator]
    trials: tuple[Trial, ...]


def train_candidate(
    train: Dataset,
    settings: TrainingSettings,
    progress: Progress = SILENT,
    on_leak: OnLeak = "refuse",
) -> Candidate:
    """Train on the training side of a split; equal rows and settings produce the same candidate, bit for bit.

    With ``on_leak="warn"``, for tables that nobody lends by, leaks are only named in the candidate's warnings; with
    ``"skip"``, for parts of a sample that was checked as a whole, nothing is looked for.

    Raises:
        GateFailed: a feature counts as a leak.
        ConfigurationRefused: no feature can be used, or a fold lacks one of the outcomes.
    """
    check = {"refuse": refuse_leaks, "warn": find_leaks}.get(on_leak)
    warnings = column_warnings(train, settings, () if check is None else check(train, settings.leaks))
    features = fit_encoding(train.X, train.facts, settings.encoding, train.y)
    sample = _sample(train, features, settings)
    tuned = _tune(sample, settings, progress)
    kind = _choose_kind(tuned, sample, settings)
    baselines = _every_kind(features, train, tuned, settings)
    single = _best_single(features, train, sample, settings)
    ablated = _ablations(kind, train, tuned, settings, progress) if settings.ablations else {}
    log.info("champion is the %s after %d trials on %d rows", kind, len(tuned.trials), train.n)
    return Candidate(
        champion=baselines[kind],
        champion_kind=kind,
        baselines={**baselines, BEST_SINGLE: single.model, **ablated},
        out_of_fold=_out_of_fold(train, sample, {**tuned.margins, "champion": tuned.margins[kind], **single.margins}),
        tuning=tuned.trials,
        notes=candidate_notes(train, features, single.name, warnings),
        warnings=warnings,
    )


def predictions(models: Mapping[str, CreditModel], dataset: Dataset) -> pd.DataFrame:
    """Return one row per observation: seller_id, as_of, label, component_id and each model's probability.

    NaN where a model may not score the row.
    """
    frame = _identity(dataset)
    for name, model in models.items():
        frame[name] = model.probability(dataset.X)
    return frame


def nested_cross_validation(
    dataset: Dataset, settings: TrainingSettings, folds: int, repeats: int, progress: Progress = SILENT
) -> pd.DataFrame:
    """Train from scratch, tuning included, without each of ``folds`` parts in turn, ``repeats`` times.

    For samples with one observation per firm, which have no later window for a test. Returns the columns of
    ``predictions`` for every model, plus repeat and fold; every observation appears once per repeat, held out. The fits
    run in ``settings.threads`` processes, which changes no result.

    Raises:
        GateFailed: a feature counts as a leak.
        ConfigurationRefused: as in ``train_candidate``.
    """
    refuse_leaks(dataset, settings.leaks)
    fixed = _with_same_treatment_everywhere(dataset, settings)
    plans = [stratified_folds(dataset.y, folds, (settings.seed, 1000 + repeat)) for repeat in range(repeats)]
    fits = Parallel(n_jobs=settings.threads, return_as="generator")(
        delayed(_held_out)(dataset, fixed, assigned == fold, repeat, fold)
        for repeat, assigned in enumerate(plans)
        for fold in range(folds)
    )
    parts: list[pd.DataFrame] = list(counted(fits, "folds trained", folds * repeats, progress))
    return pd.concat(parts, ignore_index=True)


def _held_out(
    dataset: Dataset, settings: TrainingSettings, held_out: npt.NDArray[np.bool_], repeat: int, fold: int
) -> pd.DataFrame:
    """Train without the held-out rows and return their predictions."""
    candidate = train_candidate(dataset.rows(~held_out), settings.model_copy(update={"threads": 1}), on_leak="skip")
    return predictions(candidate.models, dataset.rows(held_out)).assign(repeat=repeat, fold=fold)


def _with_same_treatment_everywhere(dataset: Dataset, settings: TrainingSettings) -> TrainingSettings:
    """Set aside in every fold what the whole sample sets aside."""
    features = fit_encoding(dataset.X, dataset.facts, settings.encoding, dataset.y)
    set_aside = tuple(feature.name for feature in features if feature.treatment == "set_aside")
    encoding = settings.encoding.model_copy(update={"set_aside": set_aside})
    return settings.model_copy(update={"encoding": encoding})


def _sample(train: Dataset, features: tuple[ModelFeature, ...], settings: TrainingSettings) -> Sample:
    folds = plan_folds(train, settings.fold_kind, settings.folds, settings.repeats, settings.seed)
    for assigned in folds:
        for fold in range(settings.folds):
            if min(len(np.unique(train.y[assigned == fold])), len(np.unique(train.y[assigned != fold]))) < 2:
                raise ConfigurationRefused(
                    f"fold {fold} of {train.n} observations lacks one of the outcomes",
                    "use fewer folds or a larger sample",
                )
    encoded = encode_matrix(features, train.X)
    if encoded.shape[1] == 0:
        raise ConfigurationRefused("no feature of the set can be used", "declare directions or widen the sample")
    directions = tuple(direction for _, direction in encoded_columns(features))
    levels = _levels(features, train, settings)
    return Sample(encoded, train.y, train.component_id, directions, folds, levels)


def _levels(features: tuple[ModelFeature, ...], train: Dataset, settings: TrainingSettings) -> SampleLevels | None:
    """Return the categories among the features; None without any."""
    names = [name for name, _ in encoded_columns(features)]
    columns = tuple(
        LevelColumn(names.index(feature.name), train.X[:, i], len(feature.levels or ()))
        for i, feature in enumerate(features)
        if feature.treatment == "category"
    )
    if not columns:
        return None
    parts = component_folds(train.component_id, settings.encoding.levels.parts, f"levels-{settings.seed}")
    return SampleLevels(columns, parts, settings.encoding.levels)


def _training_matrix(features: tuple[ModelFeature, ...], train: Dataset, settings: TrainingSettings) -> FloatArray:
    """Return the encoded training rows (n, q), in which no number knows the outcome of its own row."""
    encoded = encode_matrix(features, train.X)
    levels = _levels(features, train, settings)
    if levels is None:
        return encoded
    return without_own_outcomes(encoded, levels, train.y, np.zeros(train.n, dtype=np.bool_))


def _tune(sample: Sample, settings: TrainingSettings, progress: Progress) -> _Tuned:
    trials_allowed = max(1, settings.fits // settings.folds)
    grid = gbm_grid(len(sample.y), int(sample.y.sum()))[:trials_allowed]
    linear, linear_trials = tune_linear(sample)
    scorecard, scorecard_trials = tune_scorecard(sample, settings.binning)
    gbm, gbm_trials = tune_gbm(sample, grid, settings.fit_settings(), progress)
    margins: dict[str, FloatArray] = {"linear": linear.margin, "scorecard": scorecard.margin, "gbm": gbm.margin}
    partner = _partner({"linear": linear_trials, "scorecard": scorecard_trials})
    share, blend_trials = tune_blend(gbm.margin, margins[partner], partner, sample)
    margins["blend"] = share * gbm.margin + (1.0 - share) * margins[partner]
    return _Tuned(
        gbm=gbm,
        penalties={"linear": linear.penalty, "scorecard": scorecard.penalty},
        partner=partner,
        share_of_gbm=share,
        margins=margins,
        calibrators={str(kind): _calibrator(margins[kind], sample) for kind in KINDS},
        trials=(*linear_trials, *scorecard_trials, *gbm_trials, *blend_trials),
    )


def _partner(trials: dict[Kind, tuple[Trial, ...]]) -> Kind:
    """Return the kind with the lowest out-of-fold log-loss, the first of equal ones."""
    return min(trials, key=lambda kind: min(trial.log_loss for trial in trials[kind]))


def _calibrator(margin: FloatArray, sample: Sample) -> AffineCalibrator:
    repeats = len(margin)
    return fit_affine(margin.ravel(), np.tile(sample.y, repeats), np.tile(sample.cluster, repeats))


def _choose_kind(tuned: _Tuned, sample: Sample, settings: TrainingSettings) -> Kind:
    if settings.champion not in {"auto", "best"}:
        return cast("Kind", settings.champion)
    losses = {kind: row_losses(tuned.margins[kind], sample) for kind in KINDS}
    best = min(KINDS, key=lambda kind: float(losses[kind].mean()))
    if settings.champion == "best":
        return best
    for kind in KINDS:
        excess = losses[kind] - losses[best]
        if float(excess.mean()) <= _clustered_error(excess, sample):
            return kind
    return best


def _clustered_error(excess: FloatArray, sample: Sample) -> float:
    """Return the standard error of the mean of ``excess`` (n,) when rows of one component move together."""
    _, cluster = np.unique(sample.cluster, return_inverse=True)
    sums = np.bincount(cluster, weights=excess - excess.mean())
    return float(np.sqrt(np.sum(sums**2))) / len(excess)


def _every_kind(
    features: tuple[ModelFeature, ...], train: Dataset, tuned: _Tuned, settings: TrainingSettings
) -> dict[str, CreditModel]:
    alone: dict[str, CreditModel] = {
        kind: _fit(kind, features, train, tuned, settings) for kind in KINDS if kind != "blend"
    }
    return {**alone, "blend": _blend(alone["gbm"], alone[tuned.partner], tuned)}


def _fit(
    kind: Kind, features: tuple[ModelFeature, ...], train: Dataset, tuned: _Tuned, settings: TrainingSettings
) -> CreditModel:
    """Fit one kind on all training rows with the tuned settings."""
    if kind == "blend":
        gbm = _fit("gbm", features, train, tuned, settings)
        return _blend(gbm, _fit(tuned.partner, features, train, tuned, settings), tuned)
    encoded = _training_matrix(features, train, settings)
    directions = [direction for _, direction in encoded_columns(features)]
    component: Component
    if kind == "gbm":
        fit_settings = settings.fit_settings(tuned.gbm.rounds)
        component = fit_gbm(encoded, train.y, directions, tuned.gbm.parameters, fit_settings)
    elif kind == "scorecard":
        component = fit_scorecard(encoded, train.y, directions, tuned.penalties[kind], settings.binning)
    else:
        component = fit_linear(encoded, train.y, directions, tuned.penalties[kind])
    return CreditModel(features, (component,), (1.0,), tuned.calibrators[kind], settings.scale, settings.grades)


def _blend(gbm: CreditModel, partner: CreditModel, tuned: _Tuned) -> CreditModel:
    return replace(
        gbm,
        components=(*gbm.components, *partner.components),
        weights=(tuned.share_of_gbm, 1.0 - tuned.share_of_gbm),
        calibrator=tuned.calibrators["blend"],
    )


def _ablations(
    kind: Kind, train: Dataset, tuned: _Tuned, settings: TrainingSettings, progress: Progress
) -> dict[str, CreditModel]:
    """Fit the champion's kind again without each pillar it could use."""
    ablated = {}
    pillars = list(dict.fromkeys(fact.pillar for fact in train.facts))
    for pillar in counted(pillars, "pillars left out in turn", len(pillars), progress):
        without = tuple(fact.name for fact in train.facts if fact.pillar == pillar)
        features = _encoding_without(without, train, settings)
        if encoded_columns(features) and features != _encoding_without((), train, settings):
            ablated[f"without_{pillar}"] = _fit(kind, features, train, tuned, settings)
    return ablated


def _encoding_without(names: tuple[str, ...], train: Dataset, settings: TrainingSettings) -> tuple[ModelFeature, ...]:
    set_aside = (*settings.encoding.set_aside, *names)
    return fit_encoding(train.X, train.facts, settings.encoding.model_copy(update={"set_aside": set_aside}), train.y)


class _Single(NamedTuple):
    name: str
    model: CreditModel
    margins: dict[str, FloatArray]


def _best_single(
    features: tuple[ModelFeature, ...], train: Dataset, sample: Sample, settings: TrainingSettings
) -> _Single:
    """Build a linear model of the one feature that ranks best by itself in the training window.

    Its scale rises with the feature without flat pieces, so that it ranks sellers exactly as the feature does.
    """
    strengths = [_own_auc(feature, train.X[:, i], train.y) for i, feature in enumerate(features)]
    best = features[int(np.argmax(strengths))]
    others = tuple(feature.name for feature in features if feature.name != best.name)
    alone = _encoding_without(others, train, settings)
    directions = tuple(direction for _, direction in encoded_columns(alone))
    part = sample._replace(
        encoded=encode_matrix(alone, train.X), directions=directions, levels=_levels(alone, train, settings)
    )
    choice, _ = tune_linear(part)
    component = fit_linear(_training_matrix(alone, train, settings), train.y, directions, choice.penalty)
    model = CreditModel(
        alone, (component,), (1.0,), _calibrator(choice.margin, sample), settings.scale, settings.grades
    )
    return _Single(best.name, model, {BEST_SINGLE: choice.margin})


def _own_auc(feature: ModelFeature, values: FloatArray, y: npt.NDArray[np.int8]) -> float:
    """Return the AUC of one encoded feature; 0 if set aside, in the better direction if it has none.

    Rows whose value stays missing are left out.
    """
    columns = feature.encode(values)
    if not columns:
        return 0.0
    has_direction = feature.treatment in ("one_sided", "two_sided")
    risk = np.sum(columns if has_direction else columns[:1], axis=0)
    known = ~np.isnan(risk)
    risk, y = risk[known] * (feature.direction if feature.treatment == "one_sided" else 1.0), y[known]
    bads = int(y.sum())
    if bads in (0, len(y)):
        return 0.5
    auc = (float(rankdata(risk)[y == 1].sum()) - bads * (bads + 1) / 2.0) / (bads * (len(y) - bads))
    return auc if has_direction else max(auc, 1.0 - auc)


def _out_of_fold(train: Dataset, sample: Sample, margins: Mapping[str, FloatArray]) -> pd.DataFrame:
    parts = []
    log_odds = {name: cross_fitted_log_odds(margin, sample) for name, margin in margins.items()}
    for repeat, assigned in enumerate(sample.folds):
        part = _identity(train).assign(repeat=repeat, fold=assigned)
        parts.append(part.assign(**{name: expit(z[repeat]) for name, z in log_odds.items()}))
    return pd.concat(parts, ignore_index=True)


def _identity(dataset: Dataset) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "seller_id": dataset.seller_id,
            "as_of": dataset.as_of.astype("datetime64[s]"),
            "label": dataset.y.astype(np.int64),
            "component_id": dataset.component_id,
        }
    )

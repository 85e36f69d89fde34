"""Chooses size and regularisation of each kind of component by cross-validation inside the training window."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from models.binning import bin_columns
from models.calibration import fit_affine
from models.dataset import component_folds, stratified_folds
from models.gbm import FitSettings, GbmParameters, fit_fold, fold_margin, prepare_fold
from models.scorecard import evidence_matrix, fit_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.binning import BinningSettings
    from models.dataset import Dataset
    from models.encoding import FloatArray

# Below this many defaults only very small trees are tried.
_FEW_DEFAULTS = 150
SCORECARD_PENALTIES = (1.0, 4.0, 16.0, 64.0)
BLEND_SHARES = (0.25, 0.5, 0.75)


class Sample(NamedTuple):
    """Encoded training rows with what cross-validation needs.

    ``folds`` is (repeats, n): the fold of each row in each repeat.
    """

    encoded: FloatArray
    y: npt.NDArray[np.int8]
    cluster: npt.NDArray[np.str_]
    directions: tuple[int, ...]
    folds: npt.NDArray[np.int64]


class GbmChoice(NamedTuple):
    """The booster that did best out of fold: its parameters, rounds and margins (repeats, n)."""

    parameters: GbmParameters
    rounds: int
    margin: FloatArray


class ScorecardChoice(NamedTuple):
    """The scorecard penalty that did best out of fold, and its margins (repeats, n)."""

    penalty: float
    margin: FloatArray


class Trial(NamedTuple):
    """One line of the tuning log: what was tried and its out-of-fold log-loss after calibration."""

    kind: str
    setting: str
    log_loss: float


def plan_folds(dataset: Dataset, kind: str, folds: int, repeats: int, seed: int) -> npt.NDArray[np.int64]:
    """Gives folds (repeats, n): by component, or (for one observation a firm) stratified by outcome."""
    if kind == "component":
        plan = [component_folds(dataset.component_id, folds, f"fold-{seed}-{r}") for r in range(repeats)]
    else:
        plan = [stratified_folds(dataset.y, folds, (seed, r)) for r in range(repeats)]
    return np.vstack(plan)


def gbm_grid(rows: int, defaults: int) -> tuple[GbmParameters, ...]:
    """Gives the boosters to try, the likeliest first, for a sample of this size."""
    if defaults < _FEW_DEFAULTS:
        part = max(5, rows // 16)
        return (
            GbmParameters(leaves=3, rows_in_leaf=part, learning_rate=0.05, lambda_l2=10.0, feature_share=0.5),
            GbmParameters(leaves=2, rows_in_leaf=part, learning_rate=0.05, lambda_l2=10.0, feature_share=0.5),
            GbmParameters(leaves=5, rows_in_leaf=part, learning_rate=0.05, lambda_l2=30.0, feature_share=0.3),
        )
    part = max(20, rows // 200)
    return (
        GbmParameters(leaves=8, rows_in_leaf=part, lambda_l2=10.0, feature_share=0.4),
        GbmParameters(leaves=4, rows_in_leaf=part, lambda_l2=10.0, feature_share=0.4),
        GbmParameters(leaves=16, rows_in_leaf=part, lambda_l2=30.0, feature_share=0.3),
        GbmParameters(leaves=2, rows_in_leaf=part, learning_rate=0.1, lambda_l2=10.0, feature_share=0.4),
        GbmParameters(leaves=8, rows_in_leaf=2 * part, lambda_l2=100.0, feature_share=0.2),
        GbmParameters(leaves=31, rows_in_leaf=2 * part, learning_rate=0.03, lambda_l2=30.0, feature_share=0.3),
    )


def tune_gbm(
    sample: Sample, grid: Sequence[GbmParameters], settings: FitSettings
) -> tuple[GbmChoice, tuple[Trial, ...]]:
    """Tries boosters on every fold, each stopped early, and gives the one with the least out-of-fold log-loss.

    The rounds are the mean of the folds' best rounds, so that all folds are judged at the same size.
    """
    prepared = [
        (repeat, prepare_fold(sample.encoded, sample.y, assigned == fold))
        for repeat, assigned in enumerate(sample.folds)
        for fold in np.unique(assigned)
    ]
    choices, trials = [], []
    for parameters in grid:
        fitted = [fit_fold(fold, sample.directions, parameters, settings) for _, fold in prepared]
        rounds = max(1, round(float(np.mean([best for _, best in fitted]))))
        margin = np.empty(sample.folds.shape)
        for (repeat, fold), (booster, _) in zip(prepared, fitted, strict=True):
            margin[repeat, fold.held_out_rows] = fold_margin(booster, fold, rounds)
        choices.append(GbmChoice(parameters, rounds, margin))
        setting = f"{parameters.model_dump_json()} rounds={rounds}"
        trials.append(Trial("gbm", setting, float(row_losses(margin, sample).mean())))
    best = int(np.argmin([trial.log_loss for trial in trials]))
    return choices[best], tuple(trials)


def tune_scorecard(sample: Sample, binning: BinningSettings) -> tuple[ScorecardChoice, tuple[Trial, ...]]:
    """Bins and fits scorecards on every fold and gives the penalty with the least out-of-fold log-loss."""
    margins = np.empty((len(SCORECARD_PENALTIES), *sample.folds.shape))
    for repeat, assigned in enumerate(sample.folds):
        for fold in np.unique(assigned):
            held_out = assigned == fold
            columns = bin_columns(sample.encoded[~held_out], sample.y[~held_out], sample.directions, binning)
            evidence = evidence_matrix(columns, sample.encoded)
            for position, penalty in enumerate(SCORECARD_PENALTIES):
                intercept, weights = fit_weights(evidence[~held_out], sample.y[~held_out], penalty)
                margins[position, repeat, held_out] = intercept + evidence[held_out] @ weights
    losses = [float(row_losses(margin, sample).mean()) for margin in margins]
    best = int(np.argmin(losses))
    trials = [
        Trial("scorecard", f"penalty={penalty}", loss)
        for penalty, loss in zip(SCORECARD_PENALTIES, losses, strict=True)
    ]
    return ScorecardChoice(SCORECARD_PENALTIES[best], margins[best]), tuple(trials)


def tune_blend(gbm: FloatArray, scorecard: FloatArray, sample: Sample) -> tuple[float, tuple[Trial, ...]]:
    """Gives the booster's share in a blend of both margins (repeats, n) with the least out-of-fold log-loss."""
    trials = tuple(
        Trial(
            "blend",
            f"share_of_gbm={share}",
            float(row_losses(share * gbm + (1.0 - share) * scorecard, sample).mean()),
        )
        for share in BLEND_SHARES
    )
    return BLEND_SHARES[int(np.argmin([trial.log_loss for trial in trials]))], trials


def row_losses(margin: FloatArray, sample: Sample) -> FloatArray:
    """Gives the log-loss of every row (n,), averaged over repeats, of margins (repeats, n) after calibration."""
    z = cross_fitted_log_odds(margin, sample)
    return np.asarray((np.logaddexp(0.0, z) - sample.y * z).mean(axis=0))


def cross_fitted_log_odds(margin: FloatArray, sample: Sample) -> FloatArray:
    """Calibrates out-of-fold margins (repeats, n), each fold by a line fitted on the other folds."""
    z = np.empty(margin.shape)
    for repeat, assigned in enumerate(sample.folds):
        for fold in np.unique(assigned):
            held_out = assigned == fold
            rest = ~held_out
            line = fit_affine(margin[repeat, rest], sample.y[rest], sample.cluster[rest])
            z[repeat, held_out] = line.log_odds(margin[repeat, held_out])
    return z

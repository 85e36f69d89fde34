"""Choose size and regularisation of each kind of component by cross-validation inside the training window."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from data_contracts.progress import SILENT
from models.components.binning import bin_columns
from models.components.calibration import fit_affine
from models.components.gbm import GbmParameters, fit_fold, fold_margin, prepare_fold
from models.components.levels import without_own_outcomes
from models.components.linear import normal_scales, risk_design
from models.components.scorecard import evidence_matrix, fit_weights
from models.training.dataset import component_folds, stratified_folds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from data_contracts.progress import Progress
    from models.components.binning import BinningSettings
    from models.components.encoding import BoolArray, FloatArray
    from models.components.levels import SampleLevels
    from models.components.settings import FitSettings
    from models.training.dataset import Dataset

# Below this many defaults only very small trees are tried.
_FEW_DEFAULTS = 150
SCORECARD_PENALTIES = (1.0, 4.0, 16.0, 64.0)
LINEAR_PENALTIES = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0)
BLEND_SHARES = (0.25, 0.5, 0.75)


class Sample(NamedTuple):
    """Encoded training rows with what cross-validation needs.

    ``folds`` is (repeats, n): the fold of each row in each repeat. ``levels`` are the categories, whose encoding knows
    outcomes and is therefore made anew for every fold.
    """

    encoded: FloatArray
    y: npt.NDArray[np.int8]
    cluster: npt.NDArray[np.str_]
    directions: tuple[int, ...]
    folds: npt.NDArray[np.int64]
    levels: SampleLevels | None = None

    def encoded_for(self, held_out: BoolArray) -> FloatArray:
        """Return the encoded rows for a fold: no number knows the outcome of its row or of a held-out row."""
        if self.levels is None:
            return self.encoded
        return without_own_outcomes(self.encoded, self.levels, self.y, held_out)


class GbmChoice(NamedTuple):
    """The best booster out of fold: its parameters, rounds and margins (repeats, n)."""

    parameters: GbmParameters
    rounds: int
    margin: FloatArray


class PenaltyChoice(NamedTuple):
    """The best penalty of a scorecard or linear component out of fold, and its margins (repeats, n)."""

    penalty: float
    margin: FloatArray


class Trial(NamedTuple):
    """One line of the tuning log: the setting tried, and its out-of-fold log-loss after calibration."""

    kind: str
    setting: str
    log_loss: float


def plan_folds(dataset: Dataset, kind: str, folds: int, repeats: int, seed: int) -> npt.NDArray[np.int64]:
    """Return folds (repeats, n): by component, or (for one observation per firm) stratified by outcome."""
    if kind == "component":
        plan = [component_folds(dataset.component_id, folds, f"fold-{seed}-{r}") for r in range(repeats)]
    else:
        plan = [stratified_folds(dataset.y, folds, (seed, r)) for r in range(repeats)]
    return np.vstack(plan)


def gbm_grid(rows: int, defaults: int) -> tuple[GbmParameters, ...]:
    """Return the boosters to try, most promising first, for a sample of this size."""
    if defaults < _FEW_DEFAULTS:
        part = max(5, rows // 16)
        return (
            GbmParameters(leaves=3, rows_in_leaf=part, learning_rate=0.05, lambda_l2=10.0, feature_share=0.5),
            GbmParameters(leaves=2, rows_in_leaf=part, learning_rate=0.05, lambda_l2=10.0, feature_share=0.5),
            GbmParameters(leaves=2, rows_in_leaf=2 * part, learning_rate=0.05, lambda_l2=50.0, feature_share=0.3),
        )
    part = max(20, rows // 200)
    return (
        GbmParameters(
            leaves=8,
            rows_in_leaf=max(20, rows // 330),
            learning_rate=0.015,
            lambda_l2=3.0,
            feature_share=1.0,
            row_share=0.5,
        ),
        GbmParameters(leaves=8, rows_in_leaf=part, lambda_l2=10.0, feature_share=0.4),
        GbmParameters(leaves=4, rows_in_leaf=part, lambda_l2=10.0, feature_share=0.4),
        GbmParameters(leaves=16, rows_in_leaf=part, lambda_l2=30.0, feature_share=0.3),
        GbmParameters(leaves=2, rows_in_leaf=part, learning_rate=0.1, lambda_l2=10.0, feature_share=0.4),
        GbmParameters(leaves=8, rows_in_leaf=2 * part, lambda_l2=100.0, feature_share=0.2),
        GbmParameters(leaves=31, rows_in_leaf=2 * part, learning_rate=0.03, lambda_l2=30.0, feature_share=0.3),
    )


def tune_gbm(
    sample: Sample, grid: Sequence[GbmParameters], settings: FitSettings, progress: Progress = SILENT
) -> tuple[GbmChoice, tuple[Trial, ...]]:
    """Try boosters on every fold with early stopping; return the one with the lowest out-of-fold log-loss.

    The rounds are the mean of the folds' best rounds, so that all folds are compared at the same size.
    """
    prepared = [
        (repeat, prepare_fold(sample.encoded_for(held_out), sample.y, held_out))
        for repeat, held_out in _every_fold(sample)
    ]
    choices, trials = [], []
    progress.start("boosters fitted", len(grid) * len(prepared))
    for parameters in grid:
        fitted = []
        for _, fold in prepared:
            fitted.append(fit_fold(fold, sample.directions, parameters, settings))
            progress.advance()
        rounds = max(1, round(float(np.mean([best for _, best in fitted]))))
        margin = np.empty(sample.folds.shape)
        for (repeat, fold), (booster, _) in zip(prepared, fitted, strict=True):
            margin[repeat, fold.held_out_rows] = fold_margin(booster, fold, rounds)
        choices.append(GbmChoice(parameters, rounds, margin))
        setting = f"{parameters.model_dump_json()} rounds={rounds}"
        trials.append(Trial("gbm", setting, float(row_losses(margin, sample).mean())))
    best = int(np.argmin([trial.log_loss for trial in trials]))
    return choices[best], tuple(trials)


def tune_scorecard(sample: Sample, binning: BinningSettings) -> tuple[PenaltyChoice, tuple[Trial, ...]]:
    """Fit scorecards on every fold and return the penalty with the lowest out-of-fold log-loss."""
    margins = np.empty((len(SCORECARD_PENALTIES), *sample.folds.shape))
    for repeat, held_out in _every_fold(sample):
        encoded = sample.encoded_for(held_out)
        columns = bin_columns(encoded[~held_out], sample.y[~held_out], sample.directions, binning)
        evidence = evidence_matrix(columns, encoded)
        margins[:, repeat, held_out] = _margins_of_penalties(evidence, sample.y, held_out, SCORECARD_PENALTIES)
    return _best_penalty("scorecard", SCORECARD_PENALTIES, margins, sample)


def tune_linear(sample: Sample) -> tuple[PenaltyChoice, tuple[Trial, ...]]:
    """Fit linear components on every fold and return the penalty with the lowest out-of-fold log-loss."""
    margins = np.empty((len(LINEAR_PENALTIES), *sample.folds.shape))
    for repeat, held_out in _every_fold(sample):
        encoded = sample.encoded_for(held_out)
        scales = normal_scales(encoded[~held_out], sample.directions)
        design = risk_design(scales, encoded, sample.directions)
        margins[:, repeat, held_out] = _margins_of_penalties(design, sample.y, held_out, LINEAR_PENALTIES)
    return _best_penalty("linear", LINEAR_PENALTIES, margins, sample)


def _every_fold(sample: Sample) -> Iterator[tuple[int, BoolArray]]:
    """Yield each repeat with the rows (n,) held out in each of its folds."""
    for repeat, assigned in enumerate(sample.folds):
        for fold in np.unique(assigned):
            yield repeat, assigned == fold


def _margins_of_penalties(
    design: FloatArray, y: npt.NDArray[np.int8], held_out: BoolArray, penalties: Sequence[float]
) -> FloatArray:
    """Return margins (penalties, held-out rows) of fits on the other rows; a harder fit starts the next."""
    train, train_y, judged = design[~held_out], y[~held_out], design[held_out]
    margins = np.empty((len(penalties), len(judged)))
    fitted = None
    for position in np.argsort(penalties)[::-1]:
        fitted = fit_weights(train, train_y, penalties[position], fitted)
        margins[position] = fitted[0] + judged @ fitted[1]
    return margins


def _best_penalty(
    kind: str, penalties: Sequence[float], margins: FloatArray, sample: Sample
) -> tuple[PenaltyChoice, tuple[Trial, ...]]:
    losses = [float(row_losses(margin, sample).mean()) for margin in margins]
    best = int(np.argmin(losses))
    trials = tuple(Trial(kind, f"penalty={penalty}", loss) for penalty, loss in zip(penalties, losses, strict=True))
    return PenaltyChoice(penalties[best], margins[best]), trials


def tune_blend(
    gbm: FloatArray, partner: FloatArray, partner_kind: str, sample: Sample
) -> tuple[float, tuple[Trial, ...]]:
    """Return the booster's share, in a blend of both margins (repeats, n), with the lowest out-of-fold log-loss."""
    trials = tuple(
        Trial(
            "blend",
            f"share_of_gbm={share} rest={partner_kind}",
            float(row_losses(share * gbm + (1.0 - share) * partner, sample).mean()),
        )
        for share in BLEND_SHARES
    )
    return BLEND_SHARES[int(np.argmin([trial.log_loss for trial in trials]))], trials


def row_losses(margin: FloatArray, sample: Sample) -> FloatArray:
    """Return the log-loss of every row (n,), averaged over repeats, of margins (repeats, n) after calibration."""
    z = cross_fitted_log_odds(margin, sample)
    return np.asarray((np.logaddexp(0.0, z) - sample.y * z).mean(axis=0))


def cross_fitted_log_odds(margin: FloatArray, sample: Sample) -> FloatArray:
    """Calibrate out-of-fold margins (repeats, n), each fold by a line fitted on the other folds."""
    z = np.empty(margin.shape)
    for repeat, held_out in _every_fold(sample):
        rest = ~held_out
        line = fit_affine(margin[repeat, rest], sample.y[rest], sample.cluster[rest])
        z[repeat, held_out] = line.log_odds(margin[repeat, held_out])
    return z

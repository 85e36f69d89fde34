"""From predictions on a sample to an evaluation.

There are two protocols. Out of time, every row was predicted once, by models trained only on earlier rows. In repeated
cross-validation (for a sample too small to hold rows back), every seller was predicted once per repeat, by models
trained without it; a measure is then the mean over repeats. The bootstrap draws sellers, never folds, because sellers
are what is scarce. Its interval says what other sellers might have shown, with the fitted models as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.evaluation.bootstrap import (
    MEASURES,
    Outcomes,
    auc_draws,
    compared_draws,
    draw_counts,
    measure_draws,
    measures_of_sample,
)
from models.evaluation.calibration_quality import brier_parts, equal_count_bins, log_odds_of, mean_parts
from models.evaluation.calibration_tests import calibration_tests, neighbouring_grades
from models.evaluation.cut_offs import cut_offs, roc_curve, score_distribution
from models.evaluation.discrimination import auc
from models.evaluation.estimates import FloatArray, IntArray, estimate_from_draws
from models.evaluation.level import (
    FEWEST_DEFAULTS_OF_A_GRADE,
    FEWEST_DEFAULTS_OF_A_SEGMENT,
    GRADE,
    judged_together,
    levels_of_parts,
    whole_level,
)
from models.evaluation.power import COMPARED_MEASURES, MeasuredModel, differences
from models.evaluation.rates import grade_table, rates_by_band
from models.evaluation.results import Contrast, Evaluation, EvaluationSettings, ModelResult, SampleSize, SegmentResults
from models.evaluation.stability import PartResult, pool_small_parts, results_by_part, stability_score

if TYPE_CHECKING:
    import datetime
    from collections.abc import Sequence

    from models.evaluation.calibration_tests import NeighbouringGrades
    from models.evaluation.cut_offs import Curve, CutOff
    from models.evaluation.level import Level
    from models.evaluation.rates import GradeTable
    from models.evaluation.results import Protocol

POOLED_SEGMENT = "small groups together"
"""Name of the segment that pools the groups too small to be shown."""


@dataclass(frozen=True)
class Predictions:
    """The evaluated rows, and each model's predicted probabilities on them, (repeats, rows) each.

    ``frame`` has one row per row of ``outcomes``, with seller_id and, where known, as_of, grade and segment columns.
    """

    frame: pd.DataFrame
    outcomes: Outcomes
    by_model: dict[str, FloatArray]

    def mean_probability(self, model: str) -> FloatArray:
        """Return a model's predicted probability averaged over repeats, (rows,)."""
        return np.asarray(self.by_model[model].mean(axis=0))


def evaluate(
    holdout: pd.DataFrame, settings: EvaluationSettings, random_split: pd.DataFrame | None = None
) -> Evaluation:
    """Evaluate models on rows later than everything they were trained on.

    Args:
        holdout: one row per seller and date: seller_id, as_of, label (1 = bad), component_id, ``pd_<model>`` for each
            model in the settings, and optionally ``grade`` and the segment columns.
        settings: what to compute.
        random_split: the same columns (the champion's prediction is enough) from the champion's recipe under a random
            split, for contrast.

    Raises:
        ValueError: a column is missing, a label is not 0 or 1, or a prediction is not a probability.
    """
    _require_columns(holdout, ("seller_id", "as_of", "label", "component_id", *_wanted_columns(settings)))
    predictions = _single_predictions(holdout, settings.models)
    contrast = None if random_split is None else _contrast(random_split, predictions, settings)
    return _evaluation("out_of_time", predictions, settings, contrast)


def evaluate_repeats(out_of_fold: pd.DataFrame, settings: EvaluationSettings) -> Evaluation:
    """Evaluate models by repeated cross-validation.

    Args:
        out_of_fold: one row per seller and repeat: seller_id, repeat, label, ``pd_<model>``; ``component_id`` if
            sellers are related (otherwise each is its own component); optionally ``grade`` and the segment columns.
        settings: what to compute.

    Raises:
        ValueError: as in ``evaluate``; or a seller is not predicted exactly once in every repeat.
    """
    _require_columns(out_of_fold, ("seller_id", "repeat", "label", *_wanted_columns(settings)))
    ordered = out_of_fold.sort_values(["repeat", "seller_id"], kind="stable")
    repeats, sellers = ordered["repeat"].nunique(), ordered["seller_id"].nunique()
    if ordered.duplicated(["repeat", "seller_id"]).any() or len(ordered) != repeats * sellers:
        raise ValueError("every seller must be predicted exactly once in every repeat")
    for column in ("label", *(["grade"] if settings.grade_order else []), *settings.segment_columns):
        if ordered.groupby("seller_id")[column].nunique(dropna=False).gt(1).any():
            raise ValueError(f"a seller's {column} differs between repeats")
    frame = ordered.iloc[:sellers].reset_index(drop=True)
    by_model = {name: _probabilities(ordered, name).reshape(repeats, sellers) for name in settings.models}
    cluster_column = "component_id" if "component_id" in frame else "seller_id"
    predictions = Predictions(frame, _outcomes(frame, cluster_column), by_model)
    return _evaluation("repeated_cross_validation", predictions, settings, None)


def _wanted_columns(settings: EvaluationSettings) -> list[str]:
    grade = ["grade"] if settings.grade_order else []
    return [*(f"pd_{name}" for name in settings.models), *grade, *settings.segment_columns]


def _require_columns(frame: pd.DataFrame, wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise ValueError(f"predictions lack the columns {missing}")


def _single_predictions(frame: pd.DataFrame, models: Sequence[str]) -> Predictions:
    kept = frame.reset_index(drop=True)
    by_model = {name: _probabilities(kept, name)[np.newaxis, :] for name in models}
    return Predictions(kept, _outcomes(kept, "component_id"), by_model)


def _probabilities(frame: pd.DataFrame, model: str) -> FloatArray:
    values = frame[f"pd_{model}"].to_numpy(dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"pd_{model} contains values that are not probabilities")
    return values


def _outcomes(frame: pd.DataFrame, cluster_column: str) -> Outcomes:
    clusters, _ = pd.factorize(frame[cluster_column], sort=True)
    return Outcomes(frame["label"].to_numpy().astype(np.int64), np.asarray(clusters, dtype=np.int64))


def _evaluation(
    protocol: Protocol, predictions: Predictions, settings: EvaluationSettings, contrast: Contrast | None
) -> Evaluation:
    counts = draw_counts(int(predictions.outcomes.cluster.max()) + 1, settings.draws, settings.seed)
    measured = [_measured(predictions, name, settings, counts) for name in settings.models]
    periods = _periods(predictions, settings, counts)
    champion = predictions.mean_probability(settings.champion)
    return Evaluation(
        protocol=protocol,
        settings=settings,
        sample=_sample_size(predictions),
        models=tuple(_model_result(predictions, model, settings) for model in measured),
        differences=tuple(found for other in measured[1:] for found in differences(measured[0], other, settings.power)),
        bands=rates_by_band(predictions.outcomes.label, champion, settings.bands),
        grades=_grades(predictions, champion, settings),
        periods=periods,
        stability_score=stability_score([2 * part.auc.value - 1 for part in periods if part.auc is not None]),
        segments=tuple(_segment(predictions, column, settings, counts) for column in settings.segment_columns),
        level=_levels(predictions, champion, settings, counts),
        cut_offs=_cut_offs(predictions, settings, counts),
        curves=tuple(_curve(predictions, name) for name in settings.models if settings.role_of(name) != "ablation"),
        distribution=score_distribution(predictions.outcomes.label, log_odds_of(champion)),
        calibration_tests=calibration_tests(
            predictions.outcomes.label, champion, equal_count_bins(champion, settings.bands)
        ),
        neighbouring_grades=_neighbours(predictions, settings),
        contrast=contrast,
    )


def _measured(predictions: Predictions, model: str, settings: EvaluationSettings, counts: IntArray) -> MeasuredModel:
    """Return a model's measures, averaged over repeats, on the sample and on each draw."""
    repeats, outcomes = predictions.by_model[model], predictions.outcomes
    is_ablation = settings.role_of(model) == "ablation"
    draw = compared_draws if is_ablation else measure_draws
    names = COMPARED_MEASURES if is_ablation else MEASURES
    on_sample = [measures_of_sample(outcomes, probability) for probability in repeats]
    draws = [draw(outcomes, probability, counts) for probability in repeats]
    return MeasuredModel(
        name=model,
        on_sample={name: float(np.mean([one[name] for one in on_sample])) for name in names},
        draws={name: np.asarray(np.mean([one[name] for one in draws], axis=0)) for name in names},
    )


def _model_result(predictions: Predictions, model: MeasuredModel, settings: EvaluationSettings) -> ModelResult:
    label = predictions.outcomes.label
    repeats = predictions.by_model[model.name]
    areas = [auc(label, probability) for probability in repeats]
    parts = [brier_parts(label, one, equal_count_bins(one, settings.bands)) for one in repeats]
    return ModelResult(
        name=model.name,
        role=settings.role_of(model.name),
        measures={name: estimate_from_draws(value, model.draws[name]) for name, value in model.on_sample.items()},
        brier_parts=mean_parts(parts),
        spread_over_repeats=float(np.std(areas, ddof=1)) if len(areas) > 1 else None,
    )


def _sample_size(predictions: Predictions) -> SampleSize:
    frame, outcomes = predictions.frame, predictions.outcomes
    dates: list[datetime.date] = []
    if "as_of" in frame:
        dates = [stamp.date() for stamp in pd.to_datetime(frame["as_of"]).agg(["min", "max"])]
    return SampleSize(
        rows=int(outcomes.label.size),
        bad=int(outcomes.label.sum()),
        sellers=int(frame["seller_id"].nunique()),
        components=int(outcomes.cluster.max()) + 1,
        repeats=len(next(iter(predictions.by_model.values()))),
        first_as_of=dates[0] if dates else None,
        last_as_of=dates[1] if dates else None,
    )


def _grades(predictions: Predictions, champion: FloatArray, settings: EvaluationSettings) -> GradeTable | None:
    if not settings.grade_order:
        return None
    grade = [str(name) for name in predictions.frame["grade"]]
    return grade_table(predictions.outcomes.label, champion, grade, settings.grade_order)


def _periods(predictions: Predictions, settings: EvaluationSettings, counts: IntArray) -> tuple[PartResult, ...]:
    """Return results by calendar quarter of the as-of date; none if there is only one."""
    if "as_of" not in predictions.frame:
        return ()
    quarters = pd.to_datetime(predictions.frame["as_of"]).dt.to_period("Q")
    if quarters.nunique() < 2:
        return ()
    names = [f"{quarter.year} Q{quarter.quarter}" for quarter in quarters]
    champion = predictions.mean_probability(settings.champion)
    return results_by_part(predictions.outcomes, champion, names, counts, settings.smallest_class)


def _levels(
    predictions: Predictions, champion: FloatArray, settings: EvaluationSettings, counts: IntArray
) -> tuple[Level, ...]:
    """Return the level of the whole sample, of each filled grade and of each segment."""
    outcomes = predictions.outcomes
    grades: tuple[Level, ...] = ()
    if settings.grade_order:
        named = [str(name) for name in predictions.frame["grade"]]
        grades = levels_of_parts(GRADE, named, outcomes, champion, counts)
    segments = [
        level
        for column in settings.segment_columns
        for level in levels_of_parts(column, _parts(predictions, column, settings), outcomes, champion, counts)
    ]
    return (
        whole_level(outcomes, champion, counts),
        *judged_together(grades, FEWEST_DEFAULTS_OF_A_GRADE),
        *judged_together(segments, FEWEST_DEFAULTS_OF_A_SEGMENT),
    )


def _cut_offs(predictions: Predictions, settings: EvaluationSettings, counts: IntArray) -> tuple[CutOff, ...]:
    if not settings.grade_order:
        return ()
    economics = {"margin": settings.margin, "loss_given_default": settings.loss_given_default}
    grade = [str(name) for name in predictions.frame["grade"]]
    return cut_offs(predictions.outcomes, grade, settings.grade_order, counts, economics)


def _neighbours(predictions: Predictions, settings: EvaluationSettings) -> tuple[NeighbouringGrades, ...]:
    if not settings.grade_order:
        return ()
    grade = [str(name) for name in predictions.frame["grade"]]
    return neighbouring_grades(predictions.outcomes, grade, settings.grade_order)


def _curve(predictions: Predictions, model: str) -> Curve:
    return roc_curve(model, predictions.outcomes.label, predictions.mean_probability(model))


def _parts(predictions: Predictions, column: str, settings: EvaluationSettings) -> list[str]:
    """Return the segment of each row; groups of few sellers are pooled."""
    names = [str(name) for name in predictions.frame[column]]
    sellers = [str(name) for name in predictions.frame["seller_id"]]
    return pool_small_parts(names, sellers, settings.smallest_group, POOLED_SEGMENT)


def _segment(predictions: Predictions, column: str, settings: EvaluationSettings, counts: IntArray) -> SegmentResults:
    pooled = _parts(predictions, column, settings)
    champion = predictions.mean_probability(settings.champion)
    parts = results_by_part(predictions.outcomes, champion, pooled, counts, settings.smallest_class)
    return SegmentResults(column, parts)


def _contrast(random_split: pd.DataFrame, primary: Predictions, settings: EvaluationSettings) -> Contrast:
    _require_columns(random_split, ("seller_id", "label", "component_id", f"pd_{settings.champion}"))
    predictions = _single_predictions(random_split, (settings.champion,))
    probability = predictions.mean_probability(settings.champion)
    counts = draw_counts(int(predictions.outcomes.cluster.max()) + 1, settings.draws, settings.seed)
    value = auc(predictions.outcomes.label, probability)
    main = auc(primary.outcomes.label, primary.mean_probability(settings.champion))
    return Contrast(
        auc=estimate_from_draws(value, auc_draws(predictions.outcomes, probability, counts)),
        rows=int(predictions.outcomes.label.size),
        bad=int(predictions.outcomes.label.sum()),
        optimism=value - main,
    )

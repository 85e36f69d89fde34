"""Explain a model on a population, in points: which features weigh, in which direction, and why sellers score.

Everything comes from the model's own contributions, so the explanation adds up to the score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import spearmanr

from models.components.scale import weight_of_group
from models.explanation.explanation import (
    Additivity,
    Dependence,
    DependenceBin,
    ExplainSettings,
    Explanation,
    FeatureImportance,
    GroupImportance,
    LocalExplanation,
    LocalLine,
    LocalRole,
    Verdict,
)
from models.explanation.reason_tests import try_reasons

if TYPE_CHECKING:
    import datetime
    from collections.abc import Sequence

    from models.components.encoding import FloatArray, ModelFeature
    from models.components.model import CreditModel
    from models.components.scale import IssuedPoints
    from models.evaluation.estimates import IntArray


@dataclass(frozen=True)
class _Explained:
    """The rows explained, with their contributions in exact and in issued points."""

    X: FloatArray
    seller_id: Sequence[str]
    as_of: Sequence[datetime.date | None]
    exact_points: FloatArray
    log_odds: FloatArray
    issued: IssuedPoints


def explain_model(
    model: CreditModel,
    X: FloatArray,
    seller_id: Sequence[str],
    as_of: Sequence[datetime.date | None],
    settings: ExplainSettings,
) -> Explanation:
    """Explain a model on a population.

    Args:
        model: the model.
        X: (n, p), columns in the model's feature order, NaN = missing.
        seller_id: (n,) seller of each row.
        as_of: (n,) as-of date of each row.
        settings: how much to explain.

    Raises:
        ValueError: no row of ``X`` can be scored.
    """
    rows = _rows_to_explain(model, X, settings)
    contributions = model.contributions(X[rows])
    explained = _Explained(
        X=X[rows],
        seller_id=[str(seller_id[row]) for row in rows],
        as_of=[as_of[row] for row in rows],
        exact_points=-model.scale.factor * contributions.values,
        log_odds=contributions.log_odds,
        issued=model.issue_points(contributions),
    )
    gap = np.abs(contributions.base + contributions.values.sum(axis=1) - model.log_odds(X[rows]))
    probability = model.probability(X[rows])
    cut_off = float(probability.mean()) if settings.cut_off_probability is None else settings.cut_off_probability
    importance = _feature_importance(model, explained)
    return Explanation(
        population=len(X),
        refused=int(model.missing_required(X).sum()),
        explained=len(rows),
        base_points=explained.issued.base_points,
        cut_off_probability=cut_off,
        features=importance,
        families=group_importance([feature.family for feature in model.features], explained.exact_points),
        pillars=group_importance([feature.pillar for feature in model.features], explained.exact_points),
        dependence=tuple(
            _dependence(feature, explained.X[:, i], explained.exact_points[:, i], settings)
            for i, feature in enumerate(model.features)
        ),
        local=_local_explanations(model, explained, probability, cut_off, settings),
        reason_tests=try_reasons(model, explained.X, explained.log_odds, explained.issued.points, settings),
        additivity=_additivity(explained, gap),
    )


def _rows_to_explain(model: CreditModel, X: FloatArray, settings: ExplainSettings) -> IntArray:
    scorable = np.flatnonzero(~model.missing_required(X))
    if scorable.size == 0:
        raise ValueError("no row of the population can be scored, so nothing can be explained")
    if scorable.size <= settings.largest_sample:
        return scorable
    generator = np.random.default_rng(settings.seed)
    return np.sort(generator.choice(scorable, size=settings.largest_sample, replace=False))


def _additivity(explained: _Explained, gap: FloatArray) -> Additivity:
    issued = explained.issued
    unequal = issued.score != issued.base_points + issued.points.sum(axis=1)
    return Additivity(rows=len(gap), largest_gap=float(gap.max()), unequal_scores=int(unequal.sum()))


def _feature_importance(model: CreditModel, explained: _Explained) -> tuple[FeatureImportance, ...]:
    """Rank features by weight, heaviest first; ties in feature order."""
    weight = np.abs(explained.exact_points).mean(axis=0)
    total = float(weight.sum()) or 1.0
    missing = np.isnan(explained.X).mean(axis=0)
    return tuple(
        FeatureImportance(
            name=feature.name,
            title_en=feature.title_en,
            title_zh=feature.title_zh,
            pillar=feature.pillar,
            family=feature.family,
            unit=feature.unit,
            direction=feature.direction,
            mean_absolute_points=float(weight[i]),
            share=float(weight[i]) / total,
            missing_share=float(missing[i]),
        )
        for i in np.argsort(-weight, kind="stable")
        for feature in [model.features[i]]
    )


def group_importance(groups: Sequence[str], points: FloatArray) -> tuple[GroupImportance, ...]:
    """Rank groups by weight, heaviest first; ties in order of first appearance.

    Args:
        groups: (p,) group of each column.
        points: (n, p) contribution of each column in each row, in points or in log-odds.
    """
    names = list(dict.fromkeys(groups))
    weight = np.array([weight_of_group(groups, name, points) for name in names])
    total = float(weight.sum()) or 1.0
    return tuple(
        GroupImportance(names[i], groups.count(names[i]), float(weight[i]), float(weight[i]) / total)
        for i in np.argsort(-weight, kind="stable")
    )


def _dependence(feature: ModelFeature, values: FloatArray, points: FloatArray, settings: ExplainSettings) -> Dependence:
    known = np.isfinite(values)
    correlation = _correlation(feature, values[known], points[known])
    centre = feature.centre if feature.treatment == "two_sided" else None
    return Dependence(
        feature=feature.name,
        centre=centre,
        bins=_dependence_bins(values[known], points[known], settings.bins),
        missing_rows=int((~known).sum()),
        missing_points=None if known.all() else float(points[~known].mean()),
        correlation=correlation,
        verdict=_verdict(feature, points, correlation, settings),
    )


def _dependence_bins(values: FloatArray, points: FloatArray, bins: int) -> tuple[DependenceBin, ...]:
    if values.size == 0:
        return ()
    distinct = np.unique(values)
    edges = distinct[1:] if distinct.size <= bins else np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    bin_of_row = np.searchsorted(edges, values, side="right")
    found = []
    for number in np.unique(bin_of_row):
        inside, inside_points = values[bin_of_row == number], points[bin_of_row == number]
        low, high = np.quantile(inside_points, [0.1, 0.9])
        found.append(
            DependenceBin(
                value=float(np.median(inside)),
                lowest=float(inside.min()),
                highest=float(inside.max()),
                rows=int(inside.size),
                mean_points=float(inside_points.mean()),
                low_points=float(low),
                high_points=float(high),
            )
        )
    return tuple(found)


def _correlation(feature: ModelFeature, values: FloatArray, points: FloatArray) -> float | None:
    """Return the rank correlation of expected and contributed risk; None where there is nothing to compare."""
    if feature.treatment == "two_sided" and feature.centre is not None:
        expected = np.abs(values - feature.centre)
    elif feature.direction != 0:
        expected = feature.direction * values
    else:
        return None
    if values.size < 3 or np.ptp(expected) == 0 or np.ptp(points) == 0:
        return None
    return float(spearmanr(expected, -points).statistic)


def _verdict(
    feature: ModelFeature, points: FloatArray, correlation: float | None, settings: ExplainSettings
) -> Verdict:
    if np.abs(points).mean() < settings.smallest_points:
        return "unused"
    if feature.treatment not in ("one_sided", "two_sided"):
        return "unconstrained"
    if correlation is None or correlation >= settings.clear_correlation:
        # If all known values are equal, only "missing" can have weight, and it is encoded as the worst case.
        return "consistent"
    return "weak" if correlation > 0 else "against"


def _local_explanations(
    model: CreditModel, explained: _Explained, probability: FloatArray, cut_off: float, settings: ExplainSettings
) -> tuple[LocalExplanation, ...]:
    """Explain the strongest seller, the one nearest the cut-off, and the weakest; by log-odds, ties in row order."""
    roles: tuple[tuple[LocalRole, int], ...] = (
        ("strongest", int(np.argmin(explained.log_odds))),
        ("near_cut_off", int(np.argmin(np.abs(probability - cut_off)))),
        ("weakest", int(np.argmax(explained.log_odds))),
    )
    return tuple(
        LocalExplanation(
            role=role,
            seller_id=explained.seller_id[row],
            as_of=explained.as_of[row],
            score=int(explained.issued.score[row]),
            probability=float(probability[row]),
            grade=model.grades.grade_of(float(probability[row])),
            base_points=explained.issued.base_points,
            **_lines(model, explained, row, settings.lines),
        )
        for role, row in roles
    )


def _lines(model: CreditModel, explained: _Explained, row: int, lines: int) -> dict[str, Any]:
    points = explained.issued.points[row]
    heaviest = [int(i) for i in np.argsort(-np.abs(points), kind="stable")[:lines] if points[i] != 0]
    listed = tuple(
        LocalLine(
            feature=model.features[i].name,
            value=float(explained.X[row, i]) if np.isfinite(explained.X[row, i]) else None,
            points=int(points[i]),
        )
        for i in heaviest
    )
    return {"lines": listed, "all_others": int(points.sum()) - sum(line.points for line in listed)}

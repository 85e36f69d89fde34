"""What a risk committee decides by: how scores tell good from defaulted sellers, and what each cut-off would mean."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pipelines.reports.charts import ChartWords, Curve, curve_chart, mirrored_chart
from pipelines.reports.rates import CHART

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.reports.rendering import Texts, TrustedMarkup

CURVES = {"champion": "a", "scorecard": "b", "best_single_variable": "c"}
"""Models whose curves are drawn, and the colour of each."""


def ranking_charts(
    evaluation: Mapping[str, Any], scale: tuple[float, float, float], texts: Texts
) -> dict[str, TrustedMarkup]:
    """Return the ROC curves and the distribution of scores of good and of defaulted sellers."""
    curves = [
        Curve(CURVES[curve["model"]], tuple(curve["good_refused"]), tuple(curve["bad_refused"]))
        for curve in evaluation["curves"]
        if curve["model"] in CURVES
    ]
    found = evaluation["distribution"]
    # A high log-odds is a low score.
    edges = [_score(edge, scale) for edge in reversed(found["edges"])]
    good, bad = (tuple(reversed(found[kind])) for kind in ("good", "bad"))
    roc = ChartWords(texts("roc_chart_title"), texts("roc_x_axis"), texts("roc_y_axis"))
    scores = ChartWords(texts("scores_chart_title"), texts("scores_x_axis"), texts("scores_y_axis"))
    return {"roc": curve_chart(curves, roc, CHART), "scores": mirrored_chart(edges, good, bad, scores, CHART)}


def cut_off_rows(
    evaluation: Mapping[str, Any], bounds: Sequence[tuple[str, float]], scale: tuple[float, float, float]
) -> list[dict[str, Any]]:
    """Return the table of cut-offs, with the lowest score approved; None where everybody is approved.

    Args:
        evaluation: of the model.
        bounds: grades, best first, each with the probability that it must be below.
        scale: base score, base odds and points to double the odds.
    """
    upper = dict(bounds)
    rows = []
    for line in evaluation["cut_offs"]:
        bound = upper.get(line["grade"], 1.0)
        everybody = line["approved"] == 1.0
        lowest = None if everybody or not 0 < bound < 1 else math.ceil(_score(math.log(bound / (1 - bound)), scale))
        rows.append({**line, "lowest_score": lowest, "everybody": everybody})
    return rows


def _score(log_odds: float, scale: tuple[float, float, float]) -> float:
    base_score, base_odds, points = scale
    return base_score - points / math.log(2.0) * (log_odds + math.log(base_odds))

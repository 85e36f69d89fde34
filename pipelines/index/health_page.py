"""The monitoring page: how far today's applicants differ from the training data, and whether scores move with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.reports.lights import SCORE, drift_light
from pipelines.reports.rendering import LANGUAGES, Language, Texts, banners, page_texts, render_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.index.run_record import RunRecord

TEMPLATE = "health_page.html.j2"


def render_health_page(run: RunRecord, language: Language) -> str:
    """Return the monitoring page of a run whose applicants have been compared with the training data.

    Raises:
        ValueError: nothing has been compared.
    """
    if run.monitor is None:
        raise ValueError("there is no comparison to show")
    texts = page_texts(TEMPLATE.removesuffix(".html.j2"), language)
    rows = drift_rows(run.monitor, run.feature_titles, texts)
    context = {
        **banners(run.monitor["evidence"], texts, is_synthetic=run.monitor["is_synthetic"]),
        "file_names": {other: f"health.{other}.html" for other in LANGUAGES},
        "profile": run.profile,
        "monitor": run.monitor,
        "light": drift_light(run.monitor),
        "score": next((row for row in rows if row["name"] == SCORE), None),
        "alerts": [row for row in rows if row["alert"] and row["name"] != SCORE],
        "quiet": [row for row in rows if not row["alert"] and row["name"] != SCORE],
    }
    return render_page(TEMPLATE, language, context)


def drift_rows(
    monitor: Mapping[str, Any], titles: Mapping[str, Mapping[str, str]], texts: Texts
) -> list[dict[str, Any]]:
    """Return the variables with the lengths of their bars, those first that change the mean probability most.

    Args:
        monitor: ``monitor.json``.
        titles: of the features, by language.
        texts: of the page.
    """
    variables = monitor["variables"]
    widest = max((abs(one.get("probability_effect") or 0.0) for one in variables), default=0.0) or 1.0
    largest = max((one["index"] for one in variables), default=0.0) or 1.0
    rows = [
        {
            **one,
            "title": texts("score_variable") if one["name"] == SCORE else _title(one["name"], titles, texts),
            "points_shift": one.get("points_shift"),
            "probability_effect": one.get("probability_effect"),
            # To the left: towards more risk, as below zero points.
            "shift_bar": -(one.get("probability_effect") or 0.0) / widest,
            "index_bar": one["index"] / largest,
            "chance_place": min(1.0, one["critical_value"] / largest),
        }
        for one in variables
    ]
    return sorted(rows, key=lambda row: (-abs(row["probability_effect"] or 0.0), -row["index"]))


def _title(name: str, titles: Mapping[str, Mapping[str, str]], texts: Texts) -> str:
    return titles[name][texts.language] if name in titles else name

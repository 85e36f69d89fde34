"""The index page of a run: can it be used, what needs a person, and where is the page for me."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.index.flow import reasons_set_aside, stations_of
from pipelines.index.grades import grade_columns, grades_title
from pipelines.index.readers import links_by_reader, page_address
from pipelines.index.verdict import PAGE_OF_LIGHT, concerns_of, lights_of, verdict_of
from pipelines.reports.forest import forest_scale
from pipelines.reports.lights import Finding
from pipelines.reports.rates import rates_chart
from pipelines.reports.rendering import Language, Texts, banners, page_texts, render_page

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipelines.index.run_record import RunRecord
    from pipelines.reports.forest import ForestCell

TEMPLATE = "index_page.html.j2"
INDEX_FILES: Mapping[Language, str] = {"en": "index.html", "zh": "index.zh.html"}
"""Name of the index page in each language."""

CONCERNS_SHOWN = 6
BASELINE = "scorecard"
IDEALS = {"calibration_slope": 1.0, "expected_to_observed": 1.0}


def render_index_page(run: RunRecord, pages: Collection[str], language: Language) -> str:
    """Return the index page of a run.

    Args:
        run: what the run has left so far.
        pages: names of the pages that can be linked to.
        language: of the page.
    """
    texts = page_texts(TEMPLATE.removesuffix(".html.j2"), language)
    return render_page(TEMPLATE, language, _page_context(run, pages, texts))


def _page_context(run: RunRecord, pages: Collection[str], texts: Texts) -> dict[str, object]:
    lights = lights_of(run)
    concerns = concerns_of(run, lights)
    linked = {page: page_address(page, texts.language) for page in pages}
    ingest = run.stage("ingest")
    return {
        **banners(run.profile.evidence, texts, is_synthetic=run.profile.is_synthetic),
        "file_names": INDEX_FILES,
        "profile": run.profile,
        "as_of": run.profile.observations.last_as_of,
        "published_at": run.published_at,
        "seconds": sum(stage.seconds or 0.0 for stage in run.stages),
        "scores": run.scores,
        "verdict": verdict_of(run, lights, concerns),
        "lights": [(light, linked.get(PAGE_OF_LIGHT[light.subject])) for light in lights],
        "concerns": [(one, linked.get(one.page or "")) for one in concerns[:CONCERNS_SHOWN]],
        "concerns_left": max(0, len(concerns) - CONCERNS_SHOWN),
        "champion": None if run.evaluation is None else _champion(run.evaluation, texts),
        "model": run.profile.model,
        "is_champion_trained": run.is_champion_trained,
        "version": None if run.champion is None else run.champion.version,
        "grades": None if run.scores is None else grade_columns(run.scores.grades),
        "grades_title": None if run.scores is None else grades_title(run.scores.grades),
        "readers": links_by_reader(run, pages, texts.language),
        "stations": stations_of(run),
        "totals": None if ingest is None else ingest.record,
        "reasons": ()
        if ingest is None or ingest.record is None
        else reasons_set_aside(ingest.record, page_texts("validation_page", texts.language)),
    }


def _champion(evaluation: Mapping[str, Any], texts: Texts) -> dict[str, object]:
    """Return the champion's figures with their intervals, and its default rates by quarter where there are any."""
    measures, sample = evaluation["models"][0]["measures"], evaluation["sample"]
    differences = evaluation["differences"]
    against = next((one for one in differences if (one["other"], one["measure"]) == (BASELINE, "auc")), None)
    return {
        "measures": measures,
        "marks": {name: _marks(measures[name], IDEALS.get(name)) for name in (*IDEALS, "auc", "ks")},
        "sample": sample,
        "against": against,
        "against_marks": None if against is None else _marks(against["gain"], 0.0),
        "rates_title": rates_title(measures["expected_to_observed"]),
        "rates_chart": rates_chart(evaluation["periods"], texts) if evaluation["periods"] else None,
    }


def _marks(estimate: Mapping[str, Any], ideal: float | None) -> ForestCell | None:
    return forest_scale([estimate], others=() if ideal is None else (ideal,)).cell(estimate, ideal)


def rates_title(level: Mapping[str, Any]) -> Finding:
    """Return the title of the chart of default rates, from the interval of predicted to observed defaults."""
    if level["lower"] is None:
        return Finding("none", "rates_plain")
    if level["lower"] > 1:
        return Finding("watch", "rates_fewer")
    return Finding("watch", "rates_more") if level["upper"] < 1 else Finding("ok", "rates_agree")

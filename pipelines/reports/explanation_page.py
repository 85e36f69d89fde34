"""The explanation page: what moves the score, whether it moves it the right way, and why single sellers score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.reports.charts import ChartWords, DependencePoint, Frame, dependence_chart
from pipelines.reports.feature_values import plain_value, unit_words, value_with_unit
from pipelines.reports.lights import Finding
from pipelines.reports.related_parties import named_links
from pipelines.reports.rendering import (
    LANGUAGES,
    Language,
    Texts,
    banners,
    page_texts,
    percent,
    power_of_ten,
    render_page,
    whole,
)
from pipelines.reports.steps import staircase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from features.related_parties import RelatedParties
    from pipelines.reports.rendering import TrustedMarkup

TEMPLATE = "explanation_page.html.j2"
MOST_CURVES = 30
MULTIPLE = Frame(width=300, height=190, left=44, right=12, top=8, bottom=40)


@dataclass(frozen=True)
class ExplanationSubject:
    """The model that is explained, its bundle (digest), its evidence, and its scale (points to double the odds)."""

    name: str
    version: str
    bundle_digest: str
    evidence: str
    is_synthetic: bool
    points_to_double_odds: float


def render_explanation_page(
    explanation: Mapping[str, Any],
    subject: ExplanationSubject,
    language: Language,
    links: Mapping[str, RelatedParties] | None = None,
) -> str:
    """Return the page of one explanation.

    Args:
        explanation: ``models.explanation.Explanation.to_dict()``.
        subject: the model.
        language: of the page.
        links: the related parties of the sellers shown, by role; a seller without links has none.
    """
    texts = page_texts(TEMPLATE.removesuffix(".html.j2"), language)
    told = {role: named_links(found, texts) for role, found in (links or {}).items()}
    return render_page(TEMPLATE, language, {**_page_context(explanation, subject, texts), "links": told})


def _page_context(explanation: Mapping[str, Any], subject: ExplanationSubject, texts: Texts) -> dict[str, object]:
    features = {feature["name"]: feature for feature in explanation["features"]}
    dependence = {one["feature"]: one for one in explanation["dependence"]}
    return {
        "file_names": {other: f"explanation.{other}.html" for other in LANGUAGES},
        "model_file": f"model.{texts.language}.html",
        **banners(subject.evidence, texts, is_synthetic=subject.is_synthetic),
        "subject": subject,
        "explanation": explanation,
        "verdict": explanation_verdict(explanation, texts),
        "additivity_words": _additivity_words(explanation["additivity"], texts),
        "pillars": _weighted(explanation["pillars"]),
        "features": [
            {**feature, "title": _title(feature, texts), "verdict": dependence[feature["name"]]["verdict"]}
            for feature in _weighted(explanation["features"])
            if dependence[feature["name"]]["verdict"] != "unused"
        ],
        "unused": [_title(features[name], texts) for name, one in dependence.items() if one["verdict"] == "unused"],
        "multiples": _multiples(explanation, dependence, texts),
        "left_out": max(0, _used(dependence.values()) - MOST_CURVES),
        "against": [_title(features[name], texts) for name, one in dependence.items() if one["verdict"] == "against"],
        "local": [_local(local, features, texts) for local in explanation["local"]],
    }


def _title(feature: Mapping[str, Any], texts: Texts) -> str:
    return str(feature[f"title_{texts.language}"])


def _weighted(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add the length of its bar to each group; the longest is 1."""
    heaviest = max((group["mean_absolute_points"] for group in groups), default=0.0) or 1.0
    return [{**group, "bar": group["mean_absolute_points"] / heaviest} for group in groups]


def _used(dependence: Iterable[Mapping[str, Any]]) -> int:
    return sum(one["verdict"] != "unused" for one in dependence)


def _multiples(
    explanation: Mapping[str, Any], dependence: Mapping[str, Mapping[str, Any]], texts: Texts
) -> list[dict[str, object]]:
    """Return small charts of the features with weight, heaviest first, all on one scale of points."""
    shown = [one for one in explanation["features"] if dependence[one["name"]]["verdict"] != "unused"][:MOST_CURVES]
    limits = _limits([dependence[feature["name"]] for feature in shown])
    return [
        {
            "title": _title(feature, texts),
            "expected": _expected(feature, dependence[feature["name"]]),
            "verdict": dependence[feature["name"]]["verdict"],
            "missing_rows": dependence[feature["name"]]["missing_rows"],
            "chart": _curve(feature, dependence[feature["name"]], limits, texts),
        }
        for feature in shown
    ]


def _limits(dependence: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    bins = [group for one in dependence for group in one["bins"]]
    missing = [one["missing_points"] for one in dependence if one["missing_points"] is not None]
    low = min([*(group["low_points"] for group in bins), *missing], default=0.0)
    high = max([*(group["high_points"] for group in bins), *missing], default=0.0)
    return low, high


def _expected(feature: Mapping[str, Any], dependence: Mapping[str, Any]) -> str:
    """Return the key of the words for how points should change as the value rises."""
    if dependence["centre"] is not None:
        return "expected_middle"
    return {1: "expected_falls", -1: "expected_rises", 0: "expected_free"}[feature["direction"]]


def _curve(
    feature: Mapping[str, Any], dependence: Mapping[str, Any], limits: tuple[float, float], texts: Texts
) -> TrustedMarkup:
    times = 100.0 if feature["unit"] == "share" else 1.0
    points = [
        DependencePoint(
            times * plain_value(group["value"], feature["unit"])[0],
            *(group[name] for name in ("mean_points", "low_points", "high_points")),
        )
        for group in dependence["bins"]
    ]
    unit = unit_words(feature["unit"], texts).strip("()（）")
    words = ChartWords(
        title=texts("curve_title", title=_title(feature, texts)),
        x_axis=texts("value_axis", unit=unit) if unit else texts("value_axis_bare"),
        y_axis=texts("points_axis"),
    )
    return dependence_chart(points, dependence["missing_points"], limits, words, MULTIPLE)


def _local(local: Mapping[str, Any], features: Mapping[str, Mapping[str, Any]], texts: Texts) -> dict[str, object]:
    """Return one seller's points as steps from the base to the score."""
    lines = [
        (
            _title(features[line["feature"]], texts),
            value_with_unit(line["value"], features[line["feature"]]["unit"], texts),
            line["points"],
        )
        for line in local["lines"]
    ]
    lines.append((texts("all_others"), "", local["all_others"]))
    stairs = staircase(local["base_points"], [points for _, _, points in lines])
    steps = [
        {"words": words, "value": value, "step": step}
        for (words, value, _), step in zip(lines, stairs.steps, strict=True)
    ]
    return {**local, "stairs": stairs, "steps": steps}


def explanation_verdict(explanation: Mapping[str, Any], texts: Texts) -> Finding:
    """Return the verdict: do points add up, does a feature work the wrong way, and what weighs most."""
    unequal = explanation["additivity"]["unequal_scores"]
    if unequal:
        return Finding("stop", "verdict_not_additive", {"rows": whole(unequal)})
    against = sum(one["verdict"] == "against" for one in explanation["dependence"])
    if against:
        return Finding("watch", "verdict_some_against", {"count": whole(against)})
    heaviest = max(explanation["pillars"], key=lambda pillar: float(pillar["share"]))
    pillar = texts.of_code("pillar", heaviest["name"])
    return Finding("ok", "verdict_in_order", {"pillar": pillar, "share": percent(heaviest["share"], 0)})


def _additivity_words(additivity: Mapping[str, Any], texts: Texts) -> str:
    rows = whole(additivity["rows"])
    if additivity["unequal_scores"]:
        return texts("additivity_broken", unequal=whole(additivity["unequal_scores"]), rows=rows)
    return texts("additivity_kept", rows=rows, gap=power_of_ten(additivity["largest_gap"]))

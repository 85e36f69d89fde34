"""The model report: what a risk team reads before it lets a model make decisions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.evaluation.bootstrap import MEASURES
from models.evaluation.level import FEWEST_DEFAULTS_OF_A_SEGMENT, GRADE, SIGNIFICANT
from pipelines.reports.charts import (
    ChartWords,
    RatePoint,
    Series,
    SeriesPoint,
    calibration_chart,
    column_chart,
    series_chart,
)
from pipelines.reports.decisions import cut_off_rows, ranking_charts
from pipelines.reports.feature_values import ratio_of_medians, unit_words, value_with_unit
from pipelines.reports.forest import ForestCell, forest_scale
from pipelines.reports.lights import model_light
from pipelines.reports.rates import CHART, rates_chart
from pipelines.reports.rendering import LANGUAGES, Language, Texts, banners, page_texts, render_page
from pipelines.reports.tuning_words import candidate_words
from pipelines.score_codes import code_in_words

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from pipelines.reports.rendering import TrustedMarkup

TEMPLATE = "model_page.html.j2"
NUMBER = r"-?\d[\d,]*(?:\.\d+)?(?:e-\d+)?"
BANDS = tuple(
    (re.compile(pattern), key)
    for pattern, key in (
        (rf"below (?P<edge>{NUMBER})", "band_below"),
        (rf"(?P<low>{NUMBER}) to (?P<high>{NUMBER})", "band_between"),
        (rf"(?P<edge>{NUMBER}) and above", "band_above"),
    )
)
"""Names that training gives to the bands of a segment, and the key of the words for each."""

DEMONSTRATION_EVIDENCE = "demonstration sample"
FEWEST_DEFAULTS = 5
ABLATION_PREFIX = "without_"
SCORECARD = "scorecard"
PLAIN_MODELS = (SCORECARD, "best_single_variable")
KEY_MEASURES = ("auc", "ks", "brier", "log_loss", "calibration_slope")


@dataclass(frozen=True)
class ModelIdentity:
    """Identity and origin of a model, as its bundle states them.

    ``components`` are pairs of kind and weight; ``scale`` holds base score, base odds and points to double the odds;
    ``grades`` are the grades, best first, each with the highest probability it holds;
    ``feature_titles`` maps each feature to its title by language, ``feature_units`` to its unit.
    """

    name: str
    version: str
    bundle_digest: str
    signed_by: str
    feature_set: str
    feature_set_digest: str
    contracts: tuple[str, ...]
    data_digests: Mapping[str, str]
    code_version: str
    evidence: str
    is_synthetic: bool
    trained_from: dt.date
    trained_until: dt.date
    valid_until: dt.date | None
    components: tuple[tuple[str, float], ...]
    calibration_slope: float
    calibration_intercept: float
    scale: tuple[float, float, float]
    grades: tuple[tuple[str, float], ...]
    feature_titles: Mapping[str, Mapping[str, str]]
    feature_units: Mapping[str, str]


def render_model_page(evaluation: Mapping[str, Any], identity: ModelIdentity, language: Language) -> str:
    """Return the report of one model.

    Args:
        evaluation: what training wrote as ``evaluation.json``: the evaluation itself under ``evaluation``, and the
            sections target, population, split, audit, training and extra. A section may be None.
        identity: of the model.
        language: of the page.

    Raises:
        KeyError: a section is absent rather than None.
    """
    texts = page_texts(TEMPLATE.removesuffix(".html.j2"), language)
    return render_page(TEMPLATE, language, _page_context(evaluation, identity, texts))


def _page_context(document: Mapping[str, Any], identity: ModelIdentity, texts: Texts) -> dict[str, object]:
    evaluation = document["evaluation"]
    found: dict[str, object] = {
        "file_names": {other: f"model.{other}.html" for other in LANGUAGES},
        "light": model_light(evaluation, document["audit"]),
        "tiles": _tiles(evaluation["models"][0]["measures"]),
        "explanation_file": f"explanation.{texts.language}.html",
        **banners(identity.evidence, texts, is_synthetic=identity.is_synthetic),
        "is_demonstration": identity.evidence == DEMONSTRATION_EVIDENCE,
        "identity": identity,
        "evaluation": evaluation,
        "sample": evaluation["sample"],
        "repeated": evaluation["protocol"] == "repeated_cross_validation",
        "champion": evaluation["models"][0],
        "fewest_defaults_of_a_segment": FEWEST_DEFAULTS_OF_A_SEGMENT,
        "grades_too_small": _small_grades(evaluation["grades"]),
        "champion_measures": [(name, evaluation["models"][0]["measures"][name]) for name in MEASURES],
        "target": document["target"],
        "population": _population(document["population"], texts),
        "split": _split(document["split"], texts),
        "models": _models(evaluation, texts),
        "ablations": _comparisons(evaluation, "ablation", texts),
        "calibration": _calibration(evaluation, texts),
        "grades": _grades(evaluation, texts),
        "charts": ranking_charts(evaluation, identity.scale, texts),
        "cut_offs": cut_off_rows(evaluation, identity.grades, identity.scale),
        "periods": _periods(evaluation["periods"], texts),
        "segments": _segments(evaluation, identity, texts),
        "audit": _audit(document["audit"], texts),
        "lies": _lies(document.get("lies"), texts),
        "training": _training(document["training"], texts),
        "variants": _variants(document["extra"], texts),
        "populations": _populations(document["extra"], texts),
        "extra": document["extra"],
    }
    comparisons = _comparisons(evaluation, "baseline", texts)
    found |= {"comparisons": comparisons, "not_above": _not_above(comparisons)}
    found |= {"powered": _powered(comparisons)}
    return {**found, "sections": _sections(found)}


def _tiles(measures: Mapping[str, Any]) -> dict[str, ForestCell | None]:
    """Return the interval marks of the page's first figures, each on a scale of its own."""
    ideal = {"calibration_slope": 1.0}
    return {
        name: forest_scale([measures[name]], others=list(_present(ideal.get(name)))).cell(
            measures[name], ideal.get(name)
        )
        for name in ("auc", "ks", "calibration_slope")
    }


def _present(value: float | None) -> tuple[float, ...]:
    return () if value is None else (value,)


def _sections(context: Mapping[str, object]) -> tuple[str, ...]:
    """Return the sections that have content, in the order of the page."""
    optional = (
        "population",
        "split",
        "models",
        "ablations",
        "calibration",
        "grades",
        "cut_offs",
        "stability",
        "variants",
    )
    later = ("populations", "audit", "lies", "training")
    has = {**context, "stability": context["periods"] or context["segments"]}
    shown = [name for name in optional if has[name]]
    return ("summary", "identity", *shown, *(name for name in later if has[name]), "limits")


def model_words(name: str, texts: Texts) -> str:
    """Return a model's name in words: a known name, "without" a pillar, or the name itself."""
    words = texts.of_code("model", name)
    if words == name and name.startswith(ABLATION_PREFIX):
        pillar = texts.of_code("pillar", name.removeprefix(ABLATION_PREFIX))
        return texts("model_without_pillar", pillar=pillar.lower())
    return words


def _population(population: Mapping[str, Any] | None, texts: Texts) -> dict[str, object] | None:
    if population is None:
        return None
    dropped = [
        {"words": texts.of_code("reason", code), "rows": rows, "share": rows / max(population["start"], 1)}
        for code, rows in population["dropped"].items()
        if rows
    ]
    return {**population, "dropped": dropped, "share_kept": population["kept"] / max(population["start"], 1)}


def _split(split: Mapping[str, Any] | None, texts: Texts) -> dict[str, object] | None:
    if split is None:
        return None
    return {**split, "chart": _split_chart(split["by_date"], texts) if split["by_date"] else None}


def _split_chart(by_date: Sequence[Mapping[str, Any]], texts: Texts) -> TrustedMarkup:
    dates = sorted({row["as_of"] for row in by_date})
    stacks = []
    for date in dates:
        rows = [row for row in by_date if row["as_of"] == date]
        in_train = sum(row["rows"] for row in rows if row["part"] == "train")
        in_test = sum(row["rows"] for row in rows if row["part"] == "test")
        stacks.append((in_train, sum(row["rows"] for row in rows) - in_train - in_test, in_test))
    words = ChartWords(texts("split_chart_title"), texts("as_of_axis"), texts("rows_axis"))
    return column_chart(dates, stacks, ("a", "c", "b"), words, CHART)


def _models(evaluation: Mapping[str, Any], texts: Texts) -> list[dict[str, object]]:
    shown = [model for model in evaluation["models"] if model["role"] != "ablation"]
    scale = forest_scale([model["measures"]["auc"] for model in shown])
    return [
        {
            "words": model_words(model["name"], texts),
            "is_champion": model["role"] == "champion",
            "measures": [(name, model["measures"][name]) for name in KEY_MEASURES],
            "forest": scale.cell(model["measures"]["auc"]),
        }
        for model in shown
    ]


def _comparisons(evaluation: Mapping[str, Any], role: str, texts: Texts) -> list[dict[str, object]]:
    """Return the champion's paired AUC gain over every baseline, or over every ablation."""
    names = [model["name"] for model in evaluation["models"] if model["role"] == role]
    found = [one for one in evaluation["differences"] if one["measure"] == "auc" and one["other"] in names]
    limits = [one["detectable_gain"] for one in found if one["detectable_gain"] is not None]
    scale = forest_scale([one["gain"] for one in found], reference=0.0, others=limits)
    return [
        {
            **one,
            "words": model_words(one["other"], texts),
            "is_hint": one["verdict"] == "not_shown" and one["gain"]["lower"] is not None and one["gain"]["lower"] > 0,
            "forest": scale.cell(one["gain"], one["detectable_gain"]),
        }
        for one in found
    ]


def _calibration(evaluation: Mapping[str, Any], texts: Texts) -> dict[str, object]:
    champion = evaluation["models"][0]
    slope = champion["measures"]["calibration_slope"]
    grades = evaluation["grades"]
    rows = grades["rows"] if grades else evaluation["bands"]
    points = [
        RatePoint(row["expected"], row["observed"], row["observed_lower"], row["observed_upper"])
        for row in evaluation["bands"]
        if row["rows"]
    ]
    words = ChartWords(texts("calibration_chart_title"), texts("expected_axis"), texts("observed_axis"))
    return {
        "slope": slope,
        "verdict": _slope_verdict(slope),
        "chart": calibration_chart(points, words, CHART),
        "bands": evaluation["bands"],
        "brier": champion["brier_parts"],
        "groups": len(rows),
    }


def _slope_verdict(slope: Mapping[str, Any]) -> str:
    """Compare a calibration slope with 1: unknown, good, cautious (above) or extreme (below)."""
    if slope["lower"] is None:
        return "unknown"
    if slope["lower"] > 1:
        return "cautious"
    return "extreme" if slope["upper"] < 1 else "good"


def _grades(evaluation: Mapping[str, Any], texts: Texts) -> dict[str, object] | None:
    grades = evaluation["grades"]
    if grades is None:
        return None
    total = max(grades["total"]["rows"], 1)
    levels = _levels(evaluation, GRADE)
    rows = [{**row, "share": row["rows"] / total, "level": levels.get(row["name"])} for row in grades["rows"]]
    words = ChartWords(texts("grades_chart_title"), texts("grade_axis"), texts("share_axis"))
    stacks = [((row["rows"] - row["bad"]) / total, row["bad"] / total) for row in grades["rows"]]
    chart = column_chart([row["name"] for row in rows], stacks, ("a", "against"), words, CHART)
    pairs = evaluation["neighbouring_grades"]
    apart = sum(one["p_value"] is not None and one["p_value"] < SIGNIFICANT for one in pairs)
    found = {"rows": rows, "level": evaluation["level"][0], "chart": chart, "apart": apart, "pairs": len(pairs)}
    return {**grades, **found}


def _levels(evaluation: Mapping[str, Any], column: str) -> dict[str, Mapping[str, Any]]:
    """Return the level of each part of a column, by the name of the part."""
    return {level["part"]: level for level in evaluation["level"] if level["column"] == column}


def _small_grades(grades: Mapping[str, Any] | None) -> int:
    """Count the filled grades that have too few defaults to be judged on their own."""
    rows = grades["rows"] if grades else []
    return sum(row["rows"] > 0 and row["bad"] < FEWEST_DEFAULTS for row in rows)


def _periods(periods: Sequence[Mapping[str, Any]], texts: Texts) -> dict[str, object] | None:
    if not periods:
        return None
    names = [part["part"] for part in periods]
    areas = Series("a", tuple(_series_point(part["auc"]) for part in periods))
    words = ChartWords(texts("auc_chart_title"), texts("quarter_axis"), texts("auc_axis"))
    return {
        "rows": periods,
        "auc_chart": series_chart(names, [areas], words, CHART),
        "rate_chart": rates_chart(periods, texts),
    }


def _series_point(estimate: Mapping[str, Any] | None) -> SeriesPoint:
    if estimate is None:
        return SeriesPoint(None)
    return SeriesPoint(estimate["value"], estimate["lower"], estimate["upper"])


def _segments(evaluation: Mapping[str, Any], identity: ModelIdentity, texts: Texts) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for segment in evaluation["segments"]:
        levels = _levels(evaluation, segment["column"])
        estimates = [part["auc"] for part in segment["parts"] if part["auc"] is not None]
        scale = forest_scale(estimates, reference=0.5)
        parts = [
            {
                **part,
                "words": segment_words(part["part"], texts),
                "level": levels[part["part"]],
                "forest": None if part["auc"] is None else scale.cell(part["auc"]),
            }
            for part in sorted(segment["parts"], key=lambda part: _place_of_band(part["part"]))
        ]
        name = segment["column"]
        title = identity.feature_titles.get(name, {}).get(texts.language, name)
        unit = unit_words(identity.feature_units.get(name, ""), texts)
        found.append({"words": f"{title} ({unit})" if unit else title, "parts": parts})
    return found


def _place_of_band(part: str) -> tuple[int, float, str]:
    """Return what orders segments: bands by their edges, then everything else by name."""
    for place, (pattern, _) in enumerate(BANDS):
        match = pattern.fullmatch(part)
        if match:
            edge = next(iter(match.groupdict().values())).replace(",", "")
            return place, float(edge), ""
    return len(BANDS), 0.0, part


def segment_words(part: str, texts: Texts) -> str:
    """Return a segment's name in words: a band such as "below 3", a code, or the name itself."""
    for pattern, key in BANDS:
        match = pattern.fullmatch(part)
        if match:
            return texts(key, **match.groupdict())
    return texts.of_code("segment", part)


def _audit(audit: Mapping[str, Any] | None, texts: Texts) -> dict[str, object] | None:
    """Return the promises with their numbers of trials and breaks; None where nothing was tried."""
    if audit is None:
        return None
    monotonicity, hiding = audit["monotonicity"], audit["hiding"]
    promises: list[dict[str, object]] = []
    if hiding is not None:
        promises += [
            {"words": texts(f"promise_hiding_{how}"), "trials": hiding[how]["tried"], "breaks": hiding[how]["gained"]}
            for how in ("single", "joint")
        ]
    if monotonicity is not None:
        tried = monotonicity["features"] * monotonicity["sellers"] * (monotonicity["steps"] - 1)
        words = texts("promise_monotone", features=monotonicity["features"], steps=monotonicity["steps"])
        promises.append({"words": words, "trials": tried, "breaks": monotonicity["violations"]})
    return {
        "rows": (monotonicity or hiding or {}).get("sellers"),
        "promises": promises,
        "auc_cost": None if hiding is None else hiding["auc_cost"],
        "leaks": audit["leaks"],
    }


def _lies(lies: Mapping[str, Any] | None, texts: Texts) -> dict[str, object] | None:
    """Return what each lie gains before and after the checks, and how many sellers a code names."""
    if lies is None:
        return None
    rows = [{**line, "words": texts(f"lie_{line['lie']}"), "codes": _code_words(line, texts)} for line in lies["lies"]]
    paying = [row["words"] for row in rows if row["after"]["mean"]["lower"] > 0]
    return {**lies, "rows": rows, "paying": paying}


def _code_words(line: Mapping[str, Any], texts: Texts) -> list[str]:
    return [f"{code_in_words(code, '', texts.language)} ({count})" for code, count in line["codes"].items()]


def _training(training: Mapping[str, Any] | None, texts: Texts) -> dict[str, object] | None:
    if training is None:
        return None
    candidates = [{**one, "words": candidate_words(one["name"], texts)} for one in training["candidates"]]
    with_auc = any(one["auc"] is not None for one in candidates)
    return {**training, "candidates": candidates, "with_auc": with_auc, "set_aside": _set_aside(training, texts)}


def _set_aside(training: Mapping[str, Any], texts: Texts) -> list[dict[str, object]]:
    """Return the features that the model does not use, by reason in words."""
    features: dict[str, list[str]] = {}
    for one in training["features_set_aside"]:
        features.setdefault(texts.of_code("aside", one["reason"]), []).append(one["feature"])
    return [{"words": words, "features": names} for words, names in features.items()]


def _not_above(comparisons: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Return the comparisons that the summary must name: plain models that the champion does not beat significantly."""
    return [one for one in comparisons if one["other"] in PLAIN_MODELS and one["verdict"] in ("not_shown", "worse")]


def _powered(comparisons: Sequence[dict[str, object]]) -> dict[str, object] | None:
    """Return the comparison for the sentence on power: the scorecard's if there is one."""
    found = sorted(comparisons, key=lambda one: one["other"] != SCORECARD)
    return next((one for one in found if one["verdict"] != "identical"), None)


def _variants(extra: Mapping[str, Any] | None, texts: Texts) -> list[dict[str, object]] | None:
    if extra is None or not extra["variants"]:
        return None
    scale = forest_scale([variant["auc"] for variant in extra["variants"]])
    return [
        {**variant, "words": _variant_words(variant, texts), "forest": scale.cell(variant["auc"])}
        for variant in extra["variants"]
    ]


def _populations(extra: Mapping[str, Any] | None, texts: Texts) -> dict[str, object] | None:
    """Return both populations feature by feature, largest shift first."""
    if extra is None or not extra["populations"]:
        return None
    found = extra["populations"]
    rows = [
        {
            **row,
            "trained": value_with_unit(row["trained_median"], row["unit"], texts),
            "scored": value_with_unit(row["scored_median"], row["unit"], texts),
            "ratio": ratio_of_medians(row["trained_median"], row["scored_median"], row["unit"]),
            "has_moved": None not in (row["drift"], row["critical"]) and row["drift"] > row["critical"],
        }
        for row in sorted(found["features"], key=lambda row: -(row["drift"] or 0.0))
    ]
    return {**found, "rows": rows, "moved": sum(row["has_moved"] for row in rows)}


def _variant_words(variant: Mapping[str, Any], texts: Texts) -> str:
    key = f"variant_{variant['code']}"
    return texts(key, as_of=variant["as_of"]) if key in texts.words else str(variant["code"])

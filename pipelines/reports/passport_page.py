"""A passport as one page: the content of its JSON, laid out for the person who decides."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from models.explanation.reasons import format_value
from pipelines.reports.feature_values import value_with_unit
from pipelines.reports.grade_colours import STANDARD_GRADES, coloured
from pipelines.reports.names import brief_source
from pipelines.reports.related_parties import passport_links
from pipelines.reports.rendering import LANGUAGES, SYNTHETIC_EVIDENCE, Language, Texts, banners, page_texts, render_page
from pipelines.reports.steps import staircase

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATE = "passport_page.html.j2"
RULER_ENDS = (0.001, 0.6)
RULER_TICKS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


def render_passport_page(passport: Mapping[str, Any], language: str) -> str:
    """Return the page of one passport.

    Args:
        passport: the parsed JSON of a passport (a credential with its proof, or one not yet signed).
        language: "en" or "zh".

    Raises:
        ValueError: a language that pages are not written in.
        KeyError: the JSON lacks a field that every passport has.
    """
    for known in LANGUAGES:
        if known == language:
            return render_page(TEMPLATE, known, _page_context(passport, known))
    raise ValueError(f"pages are written in {', '.join(LANGUAGES)}, not in {language!r}")


def _page_context(passport: Mapping[str, Any], language: Language) -> dict[str, object]:
    subject = passport["credentialSubject"]
    texts = page_texts(TEMPLATE.removesuffix(".html.j2"), language)
    pseudonym = subject["pseudonym"]
    evidence = subject.get("evidence")
    return {
        "file_names": {other: f"{pseudonym}.{other}.html" for other in LANGUAGES},
        **banners(evidence, texts, is_synthetic=evidence == SYNTHETIC_EVIDENCE),
        "subject": subject,
        "issuer": passport["issuer"],
        "proof": passport.get("proof"),
        "passport_id": passport["id"],
        "assessment": _assessment(subject["assessment"], texts),
        "pillars": _pillars(subject["points"], texts),
        "reasons": _reasons(subject["points"], texts),
        "warnings": [warning[language] for warning in subject["warnings"]],
        "claims": _claims(subject.get("claims", []), texts),
        "links": passport_links(subject, texts),
        "coverage": _coverage(subject.get("data_coverage", []), texts),
        "not_read": _coverage(subject.get("data_not_read", []), texts),
        "contracts": subject.get("contracts"),
    }


def _assessment(assessment: Mapping[str, Any], texts: Texts) -> dict[str, object]:
    probability = float(assessment["probability_of_default"])
    interval = assessment.get("probability_of_default_interval")
    lower, upper = (float(interval["lower"]), float(interval["upper"])) if interval else (probability, probability)
    definition = assessment.get("default_definition")
    return {
        "score": int(assessment["score"]),
        "grade": assessment["grade"],
        "probability": probability,
        "interval": (lower, upper, float(interval["level"])) if interval else None,
        "definition": definition[texts.language] if definition else None,
        "scale": {name: float(value) for name, value in assessment["scale"].items()},
        "scale_steps": coloured(STANDARD_GRADES) if assessment["grade"] in STANDARD_GRADES else (),
        "ruler": {
            "mark": ruler_place(probability),
            "from": ruler_place(lower),
            "to": ruler_place(upper),
            "ticks": [(tick, ruler_place(tick)) for tick in RULER_TICKS],
        },
    }


def ruler_place(probability: float) -> float:
    """Return the place of a probability on the logarithmic ruler: 0 at its left end, 1 at its right end."""
    low, high = (math.log(end) for end in RULER_ENDS)
    place = (math.log(max(probability, RULER_ENDS[0])) - low) / (high - low)
    return min(1.0, place)


def _pillars(points: Mapping[str, Any], texts: Texts) -> dict[str, object]:
    """Return the pillars as steps from the base to the score."""
    pillars = points["pillars"]
    stairs = staircase(int(points["base"]), [int(pillar["points"]) for pillar in pillars])
    rows = [
        {
            "words": {language: pillar[language] for language in LANGUAGES},
            "step": step,
            "evidence": _evidence(pillar.get("evidence"), texts),
        }
        for pillar, step in zip(pillars, stairs.steps, strict=True)
    ]
    return {"stairs": stairs, "rows": rows}


def _evidence(evidence: Mapping[str, Any] | None, texts: Texts) -> dict[str, object] | None:
    if evidence is None:
        return None
    return {"grade": evidence["grade"], "sources": [brief_source(name, texts) for name in evidence["sources"]]}


def _coverage(deliveries: list[Mapping[str, Any]], texts: Texts) -> list[dict[str, object]]:
    """Return what was delivered, with source and table in words."""
    return [
        {**one, "source": brief_source(one["source"], texts), "table": texts.of_code("table", one["table"])}
        for one in deliveries
    ]


def _claims(claims: list[Mapping[str, Any]], texts: Texts) -> list[dict[str, object]]:
    """Return the claims for the page: amounts, and what each source shows beside its plausible range."""
    return [
        {
            "title": texts.of_code("claim", claim["claim"]),
            "grade": claim["grade"],
            "period_to": claim["period_to"],
            "amounts": [
                {
                    "words": {language: amount[language] for language in LANGUAGES},
                    "verdict": amount["verdict"],
                    "quarters": int(amount["quarters"]),
                    "usd": float(amount["usd"]),
                    "possible": (float(amount["lowest_usd"]), float(amount["highest_usd"]))
                    if "lowest_usd" in amount
                    else None,
                }
                for amount in claim["amounts"]
            ],
        }
        for claim in claims
    ]


def _reasons(points: Mapping[str, Any], texts: Texts) -> dict[str, object]:
    speaking_for = [_reason(reason, texts) for reason in points["for"]]
    against = [_reason(reason, texts) for reason in points["against"]]
    return {
        "base": int(points["base"]),
        "for": speaking_for,
        "for_points": sum(int(reason["points"]) for reason in points["for"]),
        "against": against,
        "against_points": sum(int(reason["points"]) for reason in points["against"]),
        "all_others": int(points["all_others"]),
    }


def _reason(reason: Mapping[str, Any], texts: Texts) -> dict[str, object]:
    """Return a reason's line; its value is shown beside the words unless the words state it."""
    words, value = str(reason[texts.language]), reason.get("value")
    is_stated = value is not None and format_value(float(value)) in words
    shown = value_with_unit(None if value is None else float(value), reason.get("unit", ""), texts)
    return {
        "words": words,
        "pillar": texts.of_code("pillar", reason["pillar"]),
        "points": int(reason["points"]),
        "value": None if is_stated else shown,
    }

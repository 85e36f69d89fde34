"""The promotion page: what every gate measured, what it could have noticed, and who decided what, when and why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipelines.reports.lights import gates_light
from pipelines.reports.rendering import (
    LANGUAGES,
    Language,
    Texts,
    banners,
    page_texts,
    render_page,
    with_typographic_minus,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.index.run_record import RunRecord

TEMPLATE = "promotion_page.html.j2"
FIGURE = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\d.]|\s?%)")
"""A figure in the words of a gate; the level of an interval ("95 %") is none."""


def render_promotion_page(run: RunRecord, language: Language) -> str:
    """Return the promotion page of a run whose model has been put through the gates.

    Raises:
        ValueError: no model has been put through the gates.
    """
    if run.registration is None:
        raise ValueError("there is no registration to show")
    texts = page_texts(TEMPLATE.removesuffix(".html.j2"), language)
    entries = run.promotions.entries
    context = {
        **banners(run.profile.evidence, texts, is_synthetic=run.profile.is_synthetic),
        "file_names": {other: f"promotion.{other}.html" for other in LANGUAGES},
        "registration": run.registration,
        "light": gates_light(run.registration, run.trained_sha256, run.promotions.state),
        "change": change_words(run.registration, texts),
        "gates": [gate_row(gate, texts) for gate in run.registration["gates"]],
        "champion": run.promotions.champion(run.profile.model.name),
        "entries": [(entry, sum(gate.passed for gate in entry.gates)) for entry in reversed(entries)],
        "ledger": run.promotions.state,
    }
    return render_page(TEMPLATE, language, context)


def change_words(registration: Mapping[str, Any], texts: Texts) -> dict[str, str | None] | None:
    """Return the champion before and the candidate in words, and how they compare on the same test rows.

    None for a registration that an earlier version of the program has written.
    """
    change = registration.get("change")
    if change is None:
        return None
    before, candidate = change["before"], change["candidate"]
    compared = None if before is None else before["compared"]
    differences = () if compared is None else compared["differences"]
    gain = next((one["gain"] for one in differences if one["measure"] == "auc"), None)
    return {
        "before": texts("change_nobody") if before is None else _model_words(before, texts),
        "candidate": _model_words(candidate, texts),
        "auc_before": None if compared is None else _interval(compared["incumbent_auc"], texts, ".3f"),
        "auc": _interval(candidate["auc"] if compared is None else compared["auc"], texts, ".3f"),
        "difference": _interval(gain, texts, "+.4f"),
        "fault": None if before is None else before["fault"],
    }


def _model_words(model: Mapping[str, Any], texts: Texts) -> str:
    kind = "" if model["kind"] is None else texts.of_code("kind", model["kind"])
    version = texts("change_unregistered" if model["version"] is None else "version_words", version=model["version"])
    return texts("change_named", version=version, kind=kind) if kind else version


def _interval(estimate: Mapping[str, Any] | None, texts: Texts, form: str) -> str | None:
    """Return an estimate with its interval, or None where a small sample leaves a figure undefined."""
    if estimate is None or any(estimate.get(part) is None for part in ("value", "lower", "upper")):
        return None
    figures = {part: with_typographic_minus(format(estimate[part], form)) for part in ("value", "lower", "upper")}
    return texts("change_interval", **figures)


def gate_row(gate: Mapping[str, Any], texts: Texts) -> dict[str, object]:
    """Return a gate's line: its name, and value, limit and power each as (words, whether they stay in English)."""
    return {
        "title": texts.of_code("gate", gate["gate"]),
        "passed": gate["passed"],
        **{part: gate_words(gate, part, texts) for part in ("measured", "limit", "power")},
    }


def gate_words(gate: Mapping[str, Any], part: str, texts: Texts) -> tuple[str, bool]:
    """Return what a gate says in the page's words, and whether it stays in the gate's own, which are English.

    The page has a sentence for each part of the line of a gate that was passed; the figures are taken from the gate's
    own words, in order. What a failed gate found is told in its own words.
    """
    said = str(gate[part])
    figures = [with_typographic_minus(figure) for figure in FIGURE.findall(said)]
    sentence = texts.words.get(f"{part}_{gate['gate']}_{len(figures)}")
    if sentence is None or not gate["passed"]:
        return said, texts.language != "en"
    return sentence.format(*figures), False

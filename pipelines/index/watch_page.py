"""The page of the early warning: which open loans need action, why, since when, and on which rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipelines.reports.feature_values import value_with_unit
from pipelines.reports.lights import Finding, Light
from pipelines.reports.rendering import LANGUAGES, Language, Texts, banners, number, page_texts, render_page, whole
from pipelines.watch.decisions import state_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.index.run_record import RunRecord
    from pipelines.watch.decisions import AlertDecision

TEMPLATE: Final = "watch_page.html.j2"
LOANS_SHOWN: Final = 60
"""Loans in the list of the page; the command line lists all."""
_TONES: Final = {"severe": "stop", "watch": "watch"}


def render_watch_page(run: RunRecord, language: Language) -> str:
    """Return the page of the early warning of a run.

    Raises:
        ValueError: no loan has been looked at.
    """
    if run.watch is None or run.watch["book"] is None:
        raise ValueError("there are no open loans to show")
    texts = page_texts(TEMPLATE.removesuffix(".html.j2"), language)
    document, decisions = run.watch, run.alert_decisions
    loans = [_loan(loan, document, decisions or (), texts) for loan in document["loans"]]
    undecided = [loan for loan in loans if any(alert["state"] == "open" for alert in loan["alerts"])]
    severe = [loan for loan in undecided if loan["severe"]]
    context = {
        **banners(document["evidence"], texts, is_synthetic=document["is_synthetic"]),
        "file_names": {other: f"watch.{other}.html" for other in LANGUAGES},
        "document": document,
        "light": _light(document, severe, undecided, decisions),
        "loans": undecided[:LOANS_SHOWN],
        "left": max(0, len(undecided) - LOANS_SHOWN),
        "decided": [_decided(one, texts) for one in (decisions or ())][::-1],
        "rules": _rules(document, texts),
        "covenants": _covenants(document, texts),
        "alerts_open": sum(alert["state"] == "open" for loan in loans for alert in loan["alerts"]),
    }
    return render_page(TEMPLATE, language, context)


def _light(
    document: Mapping[str, Any],
    severe: Sequence[Mapping[str, Any]],
    undecided: Sequence[Mapping[str, Any]],
    decisions: Sequence[AlertDecision] | None,
) -> Light:
    values = {
        "severe": whole(len(severe)),
        "loans": whole(len(undecided)),
        "open": whole(document["book"]["loans"] - document["book"]["in_default"]),
        "usd": whole(sum(loan["outstanding_usd"] for loan in severe)),
    }
    found = [Finding("watch" if severe else "ok", "watch_severe" if severe else "watch_none", values)]
    if decisions is None:
        found.append(Finding("watch", "watch_log_unchecked"))
    # The kind of light names no subject of the index page; only its state and findings are shown.
    return Light("data", tuple(found))


def _loan(
    loan: Mapping[str, Any], document: Mapping[str, Any], decisions: Sequence[AlertDecision], texts: Texts
) -> dict[str, Any]:
    alerts = [_alert(loan, alert, document, (decisions, texts)) for alert in loan["alerts"]]
    alerts.sort(key=lambda one: (one["severity"] != "severe", one["first_seen"]))
    is_severe = any(one["severity"] == "severe" and one["state"] == "open" for one in alerts)
    return {
        **loan,
        "alerts": alerts,
        "severe": is_severe,
        "tone": "stop" if is_severe else "watch",
        "covenants": [_headroom(one, document, texts) for one in loan["covenants"]],
    }


def _alert(
    loan: Mapping[str, Any],
    alert: Mapping[str, Any],
    document: Mapping[str, Any],
    about: tuple[Sequence[AlertDecision], Texts],
) -> dict[str, Any]:
    decisions, texts = about
    rule = next(one for one in document["policy"]["rules"] if one["id"] == alert["rule"])
    found = state_of(loan["loan_id"], alert, decisions)
    evidence = (loan["evidence"] or {}).get(alert["rule"])
    return {
        **alert,
        "title": rule[f"title_{texts.language}"],
        "tone": _TONES[alert["severity"]],
        "state": found.state,
        "decision": found.decision,
        "met": [_met(one, document, texts) for one in alert["met"]],
        "evidence": None if evidence is None else [_evidence(part, texts) for part in evidence],
    }


def _met(met: Mapping[str, Any], document: Mapping[str, Any], texts: Texts) -> dict[str, str]:
    """Return a met condition in words: the measure, its value now and before, and the limit."""
    measure = document["policy"]["measures"][met["of"]]
    side, limit = ("at_least", met["at_least"]) if "at_least" in met else ("at_most", met["at_most"])
    kind = f"limit_{'change_' if met['change'] else ''}{side}"
    return {
        "title": measure[f"title_{texts.language}"],
        "now": value_with_unit(met["now"], measure["unit"], texts),
        "before": value_with_unit(met["before"], measure["unit"], texts),
        "limit": texts(kind, limit=value_with_unit(limit, measure["unit"], texts)),
    }


def _evidence(part: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    links = part["links"] or {}
    rows = [{**row, "values": ", ".join(f"{k} {v}" for k, v in row["values"].items())} for row in part["rows"]]
    return {**part, "rows": rows, "value": number(part["value"], 2), "links": links.get(texts.language, [])}


def _headroom(one: Mapping[str, Any], document: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    covenant = next(each for each in document["policy"]["covenants"] if each["id"] == one["id"])
    unit = document["policy"]["measures"][covenant["of"]]["unit"]
    state = "none" if one["headroom"] is None else "stop" if one["headroom"] < 0 else "ok"
    words = value_with_unit(one["value"], unit, texts)
    return {"title": covenant[f"title_{texts.language}"], "value": words, "headroom": one["headroom"], "state": state}


def _rules(document: Mapping[str, Any], texts: Texts) -> list[dict[str, Any]]:
    counts = {one["rule"]: one for one in document["rules"]}
    alerts: dict[str, int] = {}
    for loan in document["loans"]:
        for alert in loan["alerts"]:
            alerts[alert["rule"]] = alerts.get(alert["rule"], 0) + 1
    return [
        {
            **counts[rule["id"]],
            "title": rule[f"title_{texts.language}"],
            "source": rule["source"],
            "alerts": alerts.get(rule["id"], 0),
            "levels": [_level(level, document, texts) for level in rule["levels"]],
        }
        for rule in document["policy"]["rules"]
    ]


def _level(level: Mapping[str, Any], document: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    groups = [texts("and_words").join(_condition(one, document, texts) for one in group) for group in level["when"]]
    return {"tone": _TONES[level["severity"]], "severity": level["severity"], "action": level["action"], "when": groups}


def _condition(one: Mapping[str, Any], document: Mapping[str, Any], texts: Texts) -> str:
    words = _met({**one, "now": None, "before": None}, document, texts)
    new = texts("newly_words") if one.get("newly") else ""
    return texts("condition_words", title=words["title"], limit=words["limit"], new=new)


def _covenants(document: Mapping[str, Any], texts: Texts) -> list[dict[str, Any]]:
    """Return each covenant with how many of the loans that have an alert keep it, break it, or are not known."""
    found = []
    for place, covenant in enumerate(document["policy"]["covenants"]):
        rooms = [loan["covenants"][place]["headroom"] for loan in document["loans"]]
        known = [room for room in rooms if room is not None]
        found.append(
            {
                "title": covenant[f"title_{texts.language}"],
                "source": covenant["source"],
                "kept": sum(room >= 0 for room in known),
                "broken": sum(room < 0 for room in known),
                "unknown": len(rooms) - len(known),
            }
        )
    return found


def _decided(one: AlertDecision, texts: Texts) -> dict[str, Any]:
    return {
        "loan_id": one.loan_id,
        "rule": one.rule,
        "state": texts(f"state_{one.state}"),
        "by": one.decided_by,
        "reason": one.reason,
        "at": one.decided_at.strftime("%Y-%m-%d %H:%M"),
    }

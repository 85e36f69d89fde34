"""The alerts of a run in lines for a terminal, the rows behind one of them, and decisions about them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from data_contracts.errors import ConfigurationRefused
from pipelines.runs.data_gate import validated_output
from pipelines.runs.publish import read_json
from pipelines.runs.stages import current_output
from pipelines.signing.keys import load_keys
from pipelines.watch.decisions import AlertDecision, alert_log, decide, state_of
from pipelines.watch.evidence import TRACED_AS, own_tables, traced
from pipelines.watch.stage import WATCH_FILE, read_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from typing import Literal

    from pipelines.profiles import Profile
    from pipelines.runs.stages import Place
    from pipelines.watch.decisions import State

_INDENT: Final = "  "
NOBODY: Final = "-"


def decisions_of(profile: Profile, place: Place, environment: Mapping[str, str]) -> tuple[AlertDecision, ...]:
    """Return every decision about the alerts of a place, in order, after checking the log."""
    keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=environment)
    return alert_log(place, environment).read(keys.public_key)


def alert_lines(
    document: Mapping[str, Any], decisions: Sequence[AlertDecision], states: Sequence[State], loan: str | None = None
) -> list[str]:
    """Return one line for each alert in one of the states, loan by loan, the gravest first.

    Args:
        document: ``watch.json``.
        decisions: what people decided, in order.
        states: the states to list.
        loan: list the alerts of this loan alone.
    """
    titles = {rule["id"]: rule["title_en"] for rule in document["policy"]["rules"]}
    lines = []
    for one in document["loans"]:
        if loan is not None and one["loan_id"] != loan:
            continue
        for alert in sorted(one["alerts"], key=lambda each: each["severity"]):
            found = state_of(one["loan_id"], alert, decisions)
            if found.state in states:
                by = f" by {found.decision.decided_by}: {found.decision.reason}" if found.decision else ""
                since = f"since {alert['first_seen']}" if alert["holds"] else f"{alert['first_seen']}, holds no longer"
                lines.append(
                    f"{one['loan_id']}  {alert['rule']}  {alert['severity']}, {found.state}{by}; "
                    f"{titles[alert['rule']]} ({since}); {alert['action']}; {one['outstanding_usd']:,.0f} USD open"
                )
    return lines


def watched(place: Place) -> dict[str, Any]:
    """Return ``watch.json`` of the run in force."""
    document: dict[str, Any] = read_json(current_output(place, "watch", WATCH_FILE))
    return document


def alert_of(document: Mapping[str, Any], loan: str, rule: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a loan and its alert of a rule.

    Raises:
        ConfigurationRefused: there is none.
    """
    for one in document["loans"]:
        for alert in one["alerts"]:
            if (one["loan_id"], alert["rule"]) == (loan, rule):
                return one, alert
    raise ConfigurationRefused(f"loan {loan} has no alert {rule!r}", "passport alerts list names loans and rules")


def evidence_lines(place: Place, loan: str, rule: str, most_rows: int) -> list[str]:
    """Return an alert with the measures that met its conditions and the newest rows behind each of them."""
    one, alert = alert_of(watched(place), loan, rule)
    tables = own_tables(read_tables(validated_output(place, "tables")), [one["seller_id"]])
    day: date = datetime.fromisoformat(alert["met_on"]).date()
    lines = [
        f"{loan} of {one['seller_id']}: {rule}, {alert['severity']}, {alert['first_seen']} to {alert['last_seen']}"
    ]
    for met in alert["met"]:
        limit = f"at least {met['at_least']}" if "at_least" in met else f"at most {met['at_most']}"
        change = ", as a change" if met["change"] else ""
        lines.append(f"{_INDENT}{met['of']} = {met['now']} (before: {met['before']}; limit: {limit}{change})")
        for part in traced(TRACED_AS.get(met["of"], met["of"]), one["seller_id"], day, tables):
            lines.append(f"{_INDENT * 2}{part['quantity']} = {part['value']}, {part['count']} rows")
            lines += [f"{_INDENT * 3}{text}" for text in _rows(part, most_rows)]
    return lines


def _rows(part: Mapping[str, Any], most: int) -> Iterator[str]:
    for row in part["rows"][-most:] if most else ():
        where = f"{row['file']} row {row['row']}" if row["file"] else "computed from the schedule and the payments"
        yield f"{row['day']}  {', '.join(f'{name} {value}' for name, value in row['values'].items())}  {where}"
    if part["links"]:
        yield from part["links"]["en"][:most]


def decide_alert(
    profile: Profile,
    place: Place,
    alert: tuple[str, str],
    words: tuple[Literal["acknowledged", "closed"], str, str],
    environment: Mapping[str, str],
) -> str:
    """Write a decision about an alert to the log; return a line that says so.

    Args:
        profile: the profile of the run.
        place: where its outputs are.
        alert: loan and rule.
        words: the new state, who decides and why.
        environment: names the folder of the keys.

    Raises:
        ConfigurationRefused: there is no such alert.
    """
    (loan, rule), (state, by, reason) = alert, words
    document = watched(place)
    _, found = alert_of(document, loan, rule)
    keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=environment)
    decision = AlertDecision(
        loan_id=loan,
        rule=rule,
        state=state,
        severity=found["severity"],
        first_seen=found["first_seen"],
        as_of=document["as_of"],
        decided_by=by,
        decided_at=datetime.now(UTC),
        reason=reason,
    )
    decide(alert_log(place, environment), decision, keys.signing_key)
    return f"{loan} {rule}: {state} by {by}: {reason}"

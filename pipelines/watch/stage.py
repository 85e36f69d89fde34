"""Stage ``watch``: the open loans that give cause for concern, since when, under which rule, and the rows behind it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from data_contracts.definition.compiler import table_names
from data_contracts.progress import SILENT, counted
from features.catalogue import load_feature_set
from features.delinquency import DEFAULT_DAYS_PAST_DUE
from pipelines.runs.data_gate import validated_output
from pipelines.runs.publish import read_parquet, write_json
from pipelines.runs.stages import GROUND, Place, StageInputs, StageOutcome, StageRecord, run_stage
from pipelines.watch.alerts import find_alerts, performing
from pipelines.watch.evidence import evidence_of, own_tables
from pipelines.watch.measures import measured
from pipelines.watch.policy import FEATURE_SET, LOAN_MEASURES, load_watch_policy

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from data_contracts.progress import Progress
    from pipelines.profiles import Profile
    from pipelines.watch.alerts import Alert, RuleCount
    from pipelines.watch.measures import DayOfLoans
    from pipelines.watch.policy import WatchPolicy

CODE: Final = ("data_contracts", "features", "pipelines/watch", *GROUND)
WATCH_FILE: Final = "watch.json"
WITH_EVIDENCE: Final = 10
"""Loans whose alerts come with their rows, the gravest and largest first; of the others the command line shows them."""
_NEEDED: Final = ("loan", "repayment")


def run(profile: Profile, place: Place, progress: Progress = SILENT) -> StageOutcome:
    """Look at every open loan of a profile as of its last date, and write ``watch.json``."""
    source = validated_output(place, "tables")
    as_of, policy = profile.observations.last_as_of, load_watch_policy()
    settings = {"as_of": as_of.isoformat(), "policy": policy.model_dump(mode="json")}
    about = {"is_synthetic": profile.is_synthetic, "evidence": profile.evidence, "as_of": as_of.isoformat()}

    def work(folder: Path) -> StageRecord:
        tables = read_tables(source)
        if any(name not in tables for name in _NEEDED):
            write_json(folder / WATCH_FILE, {**about, "book": None, "policy": policy_document(policy), "loans": []})
            return StageRecord(0, 0, notes={"alerts": 0, "loans_with_alerts": 0})
        days = measured(tables, policy.dates(as_of), policy.change_days, progress)
        alerts, counts = find_alerts(days, policy)
        loans = watched_loans(days[-1], alerts, policy)
        add_evidence(loans, alerts, tables, progress)
        document = {**about, "book": book_of(days[-1]), "policy": policy_document(policy), "rules": _rules(counts)}
        write_json(folder / WATCH_FILE, {**document, "opened": opened(days[-1], alerts, policy), "loans": loans})
        is_performing = performing(days[-1])
        watched, in_default = int(is_performing.sum()), int((~is_performing).sum())
        set_aside = {"in_default": in_default} if in_default else {}
        notes: dict[str, str | int | float] = {"alerts": len(alerts), "loans_with_alerts": len(loans)}
        return StageRecord(watched + in_default, watched, set_aside, notes)

    return run_stage("watch", place, StageInputs({"tables": source}, settings, CODE), work)


def read_tables(folder: Path) -> dict[str, pa.Table]:
    """Return the canonical tables in a folder of ``<table>.parquet`` files, by name."""
    files = {name: folder / f"{name}.parquet" for name in table_names()}
    return {name: read_parquet(file) for name, file in files.items() if file.is_file()}


def book_of(day: DayOfLoans) -> dict[str, Any]:
    """Return the sums of the loan book."""
    book, is_performing = day.book, performing(day)
    late = (day.book["days_past_due"] > 0).to_numpy() & is_performing
    return {
        "loans": len(book),
        "sellers": int(book["seller_id"].nunique()),
        "outstanding_usd": float(book["outstanding_usd"].sum()),
        "in_default": int((~is_performing).sum()),
        "in_default_usd": float(book["outstanding_usd"][~is_performing].sum()),
        "late": int(late.sum()),
        "late_usd": float(book["outstanding_usd"][late].sum()),
        "default_days": DEFAULT_DAYS_PAST_DUE,
    }


def opened(day: DayOfLoans, alerts: Sequence[Alert], policy: WatchPolicy) -> dict[str, Any]:
    """Return how many alerts were opened in the last two steps, and for 100 performing loans a month."""
    window = 2 * policy.step_days
    fresh = [one for one in alerts if (day.day - one.episode.first_seen).days < window]
    grave = [
        one
        for one in alerts
        if one.episode.severe_since is not None and (day.day - one.episode.severe_since).days < window
    ]
    loans = int(performing(day).sum())
    scale = 100 * 30.44 / window / loans if loans else 0.0
    return {
        "days": window,
        "alerts": len(fresh),
        "severe": len(grave),
        "alerts_per_100": scale * len(fresh),
        "severe_per_100": scale * len(grave),
    }


def watched_loans(day: DayOfLoans, alerts: Sequence[Alert], policy: WatchPolicy) -> list[dict[str, Any]]:
    """Return the loans with an alert: severe ones first, then by what is owed."""
    by_loan: dict[str, list[Alert]] = {}
    for alert in alerts:
        by_loan.setdefault(alert.loan_id, []).append(alert)
    rows = {str(row["loan_id"]): (place, row) for place, row in enumerate(day.book.to_dict("records"))}
    found = [_loan(*rows[loan], day, (own, policy)) for loan, own in by_loan.items()]
    return sorted(found, key=lambda one: (-one["severe"], -one["outstanding_usd"], one["loan_id"]))


def _loan(
    place: int, row: Mapping[Any, Any], day: DayOfLoans, about: tuple[Sequence[Alert], WatchPolicy]
) -> dict[str, Any]:
    alerts, policy = about
    return {
        "loan_id": row["loan_id"],
        "seller_id": row["seller_id"],
        "lender_id": row["lender_id"],
        "paid_out_on": str(row["paid_out_on"])[:10],
        "outstanding_usd": round(float(row["outstanding_usd"]), 2),
        "days_past_due": int(row["days_past_due"]),
        "severe": sum(one.episode.severity == "severe" for one in alerts),
        "alerts": [_alert(one, policy) for one in alerts],
        "covenants": [_covenant(place, name, day, policy) for name in range(len(policy.covenants))],
        "evidence": None,
    }


def _alert(alert: Alert, policy: WatchPolicy) -> dict[str, Any]:
    level = policy.rule(alert.rule).level(alert.episode.severity)
    met = [{**one.condition.model_dump(exclude_none=True), "now": one.now, "before": one.before} for one in alert.met]
    episode = {name: _day(value) for name, value in asdict(alert.episode).items()}
    return {
        "rule": alert.rule,
        "action": None if level is None else level.action,
        **episode,
        "met_on": alert.met_on.isoformat(),
        "met": met,
    }


def _day(value: dt.date | str | bool | None) -> str | bool | None:
    return value if value is None or isinstance(value, str | bool) else value.isoformat()


def _covenant(place: int, number: int, day: DayOfLoans, policy: WatchPolicy) -> dict[str, Any]:
    covenant = policy.covenants[number]
    value = float(day.now[covenant.of][place])
    known = not np.isnan(value)
    return {
        "id": covenant.id,
        "value": value if known else None,
        "headroom": covenant.headroom(value) if known else None,
    }


def add_evidence(
    loans: Sequence[dict[str, Any]], alerts: Sequence[Alert], tables: Mapping[str, pa.Table], progress: Progress
) -> None:
    """Put the rows behind the alerts of the first loans into them."""
    first = {one["loan_id"]: one for one in loans[:WITH_EVIDENCE]}
    chosen = [alert for alert in alerts if alert.loan_id in first]
    own = own_tables(tables, [alert.seller_id for alert in chosen])
    for one in first.values():
        one["evidence"] = {}
    for alert in counted(chosen, "alerts traced", len(chosen), progress):
        first[alert.loan_id]["evidence"][alert.rule] = evidence_of(alert, own)


def policy_document(policy: WatchPolicy) -> dict[str, Any]:
    """Return what a reader needs of the policy: dates, and each rule in words with its conditions."""
    facts = policy.model_dump(mode="json", include={"version", "valid_from", "thresholds_from", "step_days"})
    covenants = [one.model_dump(mode="json", exclude_none=True) | {"limit": one.limit} for one in policy.covenants]
    rules = [rule.model_dump(mode="json", exclude_none=True) for rule in policy.all_rules]
    return {**facts, "rules": rules, "covenants": covenants, "measures": measure_words(policy)}


def measure_words(policy: WatchPolicy) -> dict[str, dict[str, str]]:
    """Return title and unit of every measure that a rule names."""
    titles = {
        one.name: {"title_en": one.title_en, "title_zh": one.title_zh, "unit": one.unit}
        for one in load_feature_set(FEATURE_SET).records
    }
    named = {name for rule in policy.all_rules for name in rule.measures}
    return {name: LOAN_MEASURES.get(name) or titles[name] for name in sorted(named)}


def _rules(counts: Sequence[RuleCount]) -> list[dict[str, Any]]:
    return [asdict(one) for one in counts]

"""The rows behind an alert: for each measure that met its condition, the newest rows of the delivered files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from features.catalogue import load_feature_set
from features.graph.path_words import path_in_words
from features.trace import LINEAGE, TraceSource, trace_feature
from pipelines.watch.policy import DAYS_PAST_DUE, DAYS_SINCE_PAYOUT, FEATURE_SET

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from features.trace import Step
    from pipelines.watch.alerts import Alert

TRACED_AS: Final = {DAYS_PAST_DUE: "days_late_now", DAYS_SINCE_PAYOUT: "loan_count_180d"}
"""The feature of the seller whose rows show a measure of the loan."""
ROWS_SHOWN: Final = 3
"""Rows of each quantity, the newest."""


def own_tables(tables: Mapping[str, pa.Table], sellers: Sequence[str]) -> dict[str, pa.Table]:
    """Return the tables with the rows of these sellers alone, so that a trace scans little.

    Links, parties and matches stay whole: a related seller's rows are evidence too.
    """
    wanted = pa.array(sorted(set(sellers)), pa.string())
    whole = {"party", "party_link", "party_match", "loan", "repayment"}
    return {
        name: table
        if name in whole or "seller_id" not in table.column_names
        else table.filter(pc.is_in(table["seller_id"].cast(pa.string()), value_set=wanted))
        for name, table in tables.items()
    }


def evidence_of(alert: Alert, tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Return, for each quantity behind an alert, how many rows count and the newest of them with file and row.

    The rows are those known on the day on which the conditions were last met at the gravest level.
    """
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    for met in alert.met:
        feature = TRACED_AS.get(met.condition.of, met.condition.of)
        if feature in seen:
            continue
        seen.add(feature)
        found += traced(feature, alert.seller_id, alert.met_on, tables)
    return found


def traced(feature: str, seller: str, day: dt.date, tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Return the evidence of one feature of a seller as of a day."""
    steps = trace_feature(load_feature_set(FEATURE_SET), feature, TraceSource(tables, seller, day))
    shown = [_step(feature, step) for step in steps if step.rows is not None or step.evidence is not None]
    return [one for one in shown if one["count"]]


def _step(feature: str, step: Step) -> dict[str, Any]:
    facts = {"feature": feature, "quantity": step.record.name, "value": step.value}
    if step.evidence is not None:
        paths = step.evidence.paths
        links = {lang: [path_in_words(path, lang) for path in paths[:ROWS_SHOWN]] for lang in ("en", "zh")}
        return {**facts, "count": len(paths), "rows": [], "links": links}
    assert step.rows is not None  # noqa: S101 - the caller has left out steps without rows
    newest = step.rows.slice(max(0, step.rows.num_rows - ROWS_SHOWN))
    return {**facts, "count": step.rows.num_rows, "rows": [_row(row) for row in newest.to_pylist()], "links": None}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON: its day, its values, and where it was delivered; rows of a view have no file."""
    values = {name: str(value) for name, value in row.items() if name not in {*LINEAGE, "event_date"}}
    return {
        "day": str(row["event_date"]),
        "values": values,
        "file": row.get("source_file"),
        "row": row.get("source_row"),
    }

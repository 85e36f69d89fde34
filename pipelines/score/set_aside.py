"""Rows of raw exports that were set aside before scoring: the rules they break, and the currencies without a rate."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from data_contracts.arrow import Values
    from data_contracts.checks.rows import CheckResult
    from pipelines.ingest.results import IngestResult

_MOST_REASONS: Final = 12
_IN_DOLLARS: Final = "_usd"


def set_aside_note(result: IngestResult, checked: Mapping[str, CheckResult]) -> tuple[str, ...]:
    """Return a note on the rows set aside, with the most frequent reasons first; no note if there are none.

    Args:
        result: the ingested exports; their tables are those that were checked.
        checked: the checks of the canonical tables, by name.
    """
    reasons: Counter[str] = Counter()
    for counts in result.file_counts:
        source = counts.source.partition("@")[0]
        for reason, rows in (*counts.quarantined.items(), *counts.duplicates.items()):
            reasons[f"{source}: {reason}"] += rows
    for name, check in checked.items():
        for rule_id, rows in _by_rule(check.quarantined, check.duplicates).items():
            reasons[f"{name}: {rule_id}{_currencies(result.tables[name], rule_id)}"] += rows
    if not reasons:
        return ()
    named = [f"{reason} ({rows:,})" for reason, rows in reasons.most_common(_MOST_REASONS)]
    more = len(reasons) - len(named)
    listed = "; ".join([*named, *([f"{more} more reasons"] if more else [])])
    return (f"{reasons.total():,} rows of the raw exports were set aside: {listed}",)


def _by_rule(*entries: pa.Table) -> Counter[str]:
    return Counter(str(rule_id) for table in entries for rule_id in table["rule_id"].to_pylist())


def _currencies(table: pa.Table, rule_id: str) -> str:
    """Return the currencies of the rows that lack a value in US dollars, if that is what the rule demands."""
    column = next((name for name in table.column_names if name.endswith(_IN_DOLLARS) and name in rule_id), None)
    if column is None or "currency" not in table.column_names:
        return ""
    lacking: Values = table.filter(pc.is_null(table[column]))["currency"]
    found = sorted({str(currency) for currency in pc.unique(lacking.cast("string")).to_pylist() if currency})
    return f", no exchange rate for {', '.join(found)}" if found else ""

"""Breaks in the chains of export documents: a file beside the validated tables, and a section of the report."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from features.engine.as_of import AsOf
from features.reconciliation.document_chain import BREAKS, DOCUMENTS, document_breaks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import pyarrow as pa

BREAKS_FILE: Final = "document_breaks.parquet"


def broken_documents(tables: Mapping[str, pa.Table], as_of: date) -> pa.Table | None:
    """Return the breaks in the export documents as of a date, or None if no document was delivered."""
    documents = tables.get(DOCUMENTS)
    if documents is None or not documents.num_rows:
        return None
    return document_breaks(tables, AsOf(as_of))


def breaks_document(breaks: pa.Table, documents: pa.Table, as_of: date, shown: int) -> dict[str, Any]:
    """Return the report section: documents by kind, breaks by kind and seller, and the most valuable breaks.

    Args:
        breaks: table of ``features.reconciliation.document_chain.BREAK_SCHEMA``.
        documents: the table ``export_document``.
        as_of: the date of the breaks.
        shown: number of most valuable breaks to list.
    """
    rows = breaks.to_pylist()
    by_kind: dict[str, list[dict[str, Any]]] = {name: [] for name in BREAKS}
    for row in rows:
        by_kind[row["break_kind"]].append(row)
    dearest = sorted(rows, key=lambda row: (-_value(row), row["seller_id"], row["break_kind"], row["document_number"]))
    return {
        "as_of": as_of.isoformat(),
        "documents": dict(sorted(Counter(str(kind) for kind in documents["document_kind"].to_pylist()).items())),
        "broken_sellers": len({row["seller_id"] for row in rows}),
        "breaks": [
            {
                "break_kind": name,
                "breaks": len(found),
                "sellers": len({row["seller_id"] for row in found}),
                "usd": f"{sum((row['usd'] or 0) for row in found):.2f}",
            }
            for name, found in by_kind.items()
        ],
        "dearest": [_break(row) for row in dearest[:shown]],
    }


def _value(row: Mapping[str, Any]) -> float:
    return max(float(row["usd"] or 0), float(row["other_usd"] or 0))


def _break(row: Mapping[str, Any]) -> dict[str, Any]:
    named = ("seller_id", "break_kind", "document_kind", "document_number", "other_kind", "other_number")
    amounts = {name: None if row[name] is None else f"{row[name]:.2f}" for name in ("usd", "other_usd")}
    counted = {name: row[name] for name in ("days", "documents")}
    return {**{name: row[name] for name in named}, "event_date": row["event_date"].isoformat(), **amounts, **counted}

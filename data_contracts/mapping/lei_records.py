"""Shared parts of the two GLEIF sources: registration states that are not records, and superseded records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.source_mapping import run_sql

if TYPE_CHECKING:
    import pyarrow as pa

IS_RECORD = "registration_state NOT IN ('ANNULLED', 'DUPLICATE', 'PENDING_VALIDATION')"
"""SQL condition over a row: its registration is valid and belongs to one entity or relationship."""

_SUPERSEDED = """
SELECT row_order, 'repeated record' AS reason, CAST(NULL AS VARCHAR) AS rule_id
FROM (
    SELECT row_order, row_number() OVER (PARTITION BY delivered_for, {key} ORDER BY updated_at DESC, row_order) AS copy
    FROM raw WHERE {complete}
)
WHERE copy > 1 ORDER BY row_order
"""

_NO_RECORD = f"""
SELECT row_order, 'record annulled, doubled or not yet validated' AS reason
FROM raw WHERE NOT ({IS_RECORD}) ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module


def older_records(raw: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """Return, as a screen does, the records superseded by a newer delivery; a row with a missing key is left out."""
    complete = " AND ".join(f"{name} IS NOT NULL" for name in key)
    return run_sql(_SUPERSEDED.format(key=", ".join(key), complete=complete), raw=raw)


def unregistered_records(raw: pa.Table) -> pa.Table:
    """Return, as silent rows, the records that were annulled, found to be duplicates or not validated yet."""
    return run_sql(_NO_RECORD, raw=raw)

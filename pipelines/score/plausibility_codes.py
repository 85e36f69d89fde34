"""Warnings about what a seller delivers that can hardly be true, for rows that are scored nevertheless."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from features.reconciliation.plausibility import implausible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from data_contracts.arrow import Values
    from pipelines.score.applicants import Chunk


def ledger_doubts(applicants: Chunk, tables: Mapping[str, pa.Table]) -> Values:
    """Return the codes of the ledger and the accounts of each applicant as of its date, joined by ";"."""
    rows = applicants.select(["seller_id", "as_of"]).to_pylist()
    sellers_at: dict[date, set[str]] = {}
    for row in rows:
        if row["seller_id"] is not None and row["as_of"] is not None:
            sellers_at.setdefault(row["as_of"], set()).add(row["seller_id"])
    found = implausible(tables, {day: sorted(sellers) for day, sellers in sellers_at.items()})
    return pa.array([";".join(found.get((row["seller_id"], row["as_of"]), ())) for row in rows], pa.string())

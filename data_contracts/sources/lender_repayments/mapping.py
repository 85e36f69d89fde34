"""Map a lender's account of instalments and payments to ``repayment``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.repetition import repeated_rows
from data_contracts.mapping.source_mapping import (
    MappingContext,
    SourceMapping,
    Tables,
    canonical_table,
    relabelled,
    run_sql,
)

if TYPE_CHECKING:
    import pyarrow as pa

_ENTRIES = """
SELECT
    entry_number AS repayment_id,
    loan_number AS loan_id,
    borrower AS seller_id,
    entry AS entry_type,
    entered AS amount,
    money_code AS currency,
    entry_on AS event_date,
    booked_at + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM raw
"""


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``repayment``; an entry is known from the time it was booked."""
    labelled = relabelled(raw, context.contract)
    mapped = run_sql(_ENTRIES, {"known_lag_days": context.known_lag_days}, raw=labelled)
    return {"repayment": canonical_table("repayment", mapped, context, {"amount_usd": "amount"})}


def screen(raw: pa.Table) -> pa.Table:
    """Return the entries that repeat their last delivery exactly."""
    return repeated_rows(raw, "lender_repayments", "repeated entry", "entry_number")


MAPPING = SourceMapping(
    source="lender_repayments",
    covered_tables=("repayment",),
    to_canonical=to_canonical,
    happened="booked_at",
    screen=screen,
    needs_seller=False,
)

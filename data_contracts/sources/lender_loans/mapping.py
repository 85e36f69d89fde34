"""Map a lender's loan book to ``loan``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.repetition import repeated_rows
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, canonical_table, run_sql

if TYPE_CHECKING:
    import pyarrow as pa

_LOANS = """
SELECT
    loan_number AS loan_id,
    borrower AS seller_id,
    lender AS lender_id,
    lent AS principal,
    money_code AS currency,
    CAST(rate_percent AS DOUBLE) AS annual_rate_pct,
    matures_on AS maturity_date,
    instalments AS instalment_count,
    disbursed_on AS event_date,
    CAST(disbursed_on AS TIMESTAMPTZ) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM raw
"""


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``loan``."""
    mapped = run_sql(_LOANS, {"known_lag_days": context.known_lag_days}, raw=raw)
    return {"loan": canonical_table("loan", mapped, context, {"principal_usd": "principal"})}


def screen(raw: pa.Table) -> pa.Table:
    """Return the loans that repeat their last delivery exactly."""
    return repeated_rows(raw, "lender_loans", "repeated loan", "loan_number")


MAPPING = SourceMapping(
    source="lender_loans",
    covered_tables=("loan",),
    to_canonical=to_canonical,
    happened="disbursed_on",
    screen=screen,
    needs_seller=False,
)

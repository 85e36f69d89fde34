"""Map a lender's loan book to ``loan``."""

from __future__ import annotations

import functools

from data_contracts.mapping.repetition import repeated_rows
from data_contracts.mapping.source_mapping import SourceMapping, query_mapping

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

MAPPING = SourceMapping(
    source="lender_loans",
    covered_tables=("loan",),
    to_canonical=query_mapping(_LOANS, "loan", {"principal_usd": "principal"}),
    happened="disbursed_on",
    any_period=True,
    screen=functools.partial(repeated_rows, source="lender_loans", reason="repeated loan", identity="loan_number"),
    needs_seller=False,
)

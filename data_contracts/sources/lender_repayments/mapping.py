"""Map a lender's account of instalments and payments to ``repayment``."""

from __future__ import annotations

import functools

from data_contracts.mapping.repetition import repeated_rows
from data_contracts.mapping.source_mapping import SourceMapping, query_mapping

# An entry is known from the time it was booked.
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

MAPPING = SourceMapping(
    source="lender_repayments",
    covered_tables=("repayment",),
    to_canonical=query_mapping(_ENTRIES, "repayment", {"amount_usd": "amount"}, relabel=True),
    happened="booked_at",
    any_period=True,
    screen=functools.partial(
        repeated_rows, source="lender_repayments", reason="repeated entry", identity="entry_number"
    ),
    needs_seller=False,
)

"""Map firms of the CUMCM sample to ``credit_record``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, canonical_table, run_sql

if TYPE_CHECKING:
    import pyarrow as pa

# The bank gives no dates, so its records are dated at the end of the period that the sample covers.
_RECORDS = """
SELECT
    'cumcm:' || firm_code AS credit_record_id,
    firm_code AS seller_id,
    trim(firm_name) AS seller_name,
    rating AS credit_rating,
    defaulted AS is_default,
    covered_to AS event_date,
    CAST(covered_to AS TIMESTAMPTZ) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM raw
"""


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``credit_record``."""
    mapped = run_sql(_RECORDS, {"known_lag_days": context.known_lag_days}, raw=raw)
    return {"credit_record": canonical_table("credit_record", mapped, context)}


MAPPING = SourceMapping(
    source="cumcm_firms", covered_tables=("credit_record",), to_canonical=to_canonical, needs_seller=False
)

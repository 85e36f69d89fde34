"""Map firms of the CUMCM sample to ``credit_record``."""

from __future__ import annotations

from data_contracts.mapping.source_mapping import SourceMapping, query_mapping

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

MAPPING = SourceMapping(
    source="cumcm_firms",
    covered_tables=("credit_record",),
    to_canonical=query_mapping(_RECORDS, "credit_record"),
    needs_seller=False,
)

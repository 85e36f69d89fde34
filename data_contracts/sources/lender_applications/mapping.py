"""Map credit applications to ``application``."""

from __future__ import annotations

import functools

from data_contracts.mapping.repetition import repeated_rows
from data_contracts.mapping.source_mapping import SourceMapping, query_mapping

_APPLICATIONS = """
SELECT
    application_number AS application_id,
    applicant AS seller_id,
    requested AS requested_usd,
    use_of_funds AS purpose,
    consent AS consent_reference,
    outcome AS decision,
    applied_on AS event_date,
    CAST(applied_on AS TIMESTAMPTZ) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM raw
"""

MAPPING = SourceMapping(
    source="lender_applications",
    covered_tables=("application",),
    to_canonical=query_mapping(_APPLICATIONS, "application"),
    happened="applied_on",
    any_period=True,
    screen=functools.partial(
        repeated_rows, source="lender_applications", reason="repeated application", identity="application_number"
    ),
    needs_seller=False,
)

"""Map credit applications to ``application``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.repetition import repeated_rows
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, canonical_table, run_sql

if TYPE_CHECKING:
    import pyarrow as pa

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


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``application``."""
    mapped = run_sql(_APPLICATIONS, {"known_lag_days": context.known_lag_days}, raw=raw)
    return {"application": canonical_table("application", mapped, context)}


def screen(raw: pa.Table) -> pa.Table:
    """Return the applications that repeat their last delivery exactly."""
    return repeated_rows(raw, "lender_applications", "repeated application", "application_number")


MAPPING = SourceMapping(
    source="lender_applications",
    covered_tables=("application",),
    to_canonical=to_canonical,
    happened="applied_on",
    screen=screen,
    needs_seller=False,
)

"""Map daily traffic of a web shop to ``site_day``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.repetition import repeated_rows
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, canonical_table, run_sql

if TYPE_CHECKING:
    import pyarrow as pa

_DAYS = """
SELECT
    site_id || ':' || visited_on AS site_day_id,
    delivered_for AS seller_id,
    site_id,
    sessions AS session_count,
    visitors AS visitor_count,
    bounced_sessions AS bounce_count,
    paid_sessions AS paid_session_count,
    advertising AS advertising_usd,
    visited_on AS event_date,
    CAST(visited_on AS TIMESTAMPTZ) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM (SELECT *, coalesce(account, delivered_for) AS site_id FROM raw)
"""


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``site_day``."""
    mapped = run_sql(_DAYS, {"known_lag_days": context.known_lag_days}, raw=raw)
    return {"site_day": canonical_table("site_day", mapped, context)}


def screen(raw: pa.Table) -> pa.Table:
    """Return the days that repeat their last delivery exactly."""
    return repeated_rows(raw, "shop_traffic", "repeated day", "visited_on")


MAPPING = SourceMapping(
    source="shop_traffic", covered_tables=("site_day",), to_canonical=to_canonical, happened="visited_on", screen=screen
)

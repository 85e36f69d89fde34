"""Map daily traffic of a web shop to ``site_day``."""

from __future__ import annotations

import functools

from data_contracts.mapping.repetition import repeated_rows
from data_contracts.mapping.source_mapping import SourceMapping, query_mapping
from data_contracts.mapping.web_sites import with_site_key

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

MAPPING = SourceMapping(
    source="shop_traffic",
    covered_tables=("site_day",),
    to_canonical=query_mapping(_DAYS, "site_day"),
    prepare=with_site_key,
    happened="visited_on",
    screen=functools.partial(repeated_rows, source="shop_traffic", reason="repeated day", identity="visited_on"),
)

"""Map Google Analytics 4 events to ``site_day``, one row for each property and day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.repetition import of_any_account, rows_delivered_before
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, canonical_table, run_sql
from data_contracts.mapping.web_sites import with_site_key

if TYPE_CHECKING:
    import pyarrow as pa

# Paid traffic is recognised by its medium (cpc, ppc, paid and variants). The session number is an event parameter.
_EVENTS = """
SELECT * EXCLUDE (parameters), coalesce(account, delivered_for) AS site_id,
    visitor || ':' || list_filter(
        from_json(parameters, '[{"key": "VARCHAR", "value": {"int_value": "VARCHAR"}}]'),
        lambda part: part.key = 'ga_session_id'
    )[1]."value".int_value AS session,
    event_name = 'page_view' AS is_page,
    coalesce(regexp_matches(lower(medium), '^(.*cp.*|ppc|retargeting|paid.*)$'), false) OR click_number IS NOT NULL
        AS is_paid,
    CASE WHEN event_name = 'purchase'
        THEN coalesce(nullif(transaction_number, '(not set)'), 'row ' || row_order) END AS purchase,
    row_number() OVER (PARTITION BY delivered_for, account, visited_on ORDER BY row_order) AS nth_of_day
FROM raw
"""

_SILENT = "SELECT row_order, 'counted in the row of its day' AS reason FROM events WHERE nth_of_day > 1"

_REMARKS = """
SELECT row_order, 'event of no session, as where consent is refused' AS reason FROM events WHERE session IS NULL
"""

_DAYS = """
WITH sessions AS (
    SELECT delivered_for, arg_min(site_id, row_order) AS site_id, visited_on, session, visitor,
        count_if(is_page) <= 1 AS is_bounce, bool_or(is_paid) AS is_paid
    FROM events WHERE session IS NOT NULL GROUP BY delivered_for, visited_on, session, visitor
), traffic AS (
    SELECT delivered_for, site_id, visited_on, count(*) AS session_count, count(DISTINCT visitor) AS visitor_count,
        count_if(is_bounce) AS bounce_count, count_if(is_paid) AS paid_session_count
    FROM sessions GROUP BY ALL
), purchases AS (
    SELECT delivered_for, site_id, visited_on, count(*) AS purchase_count,
        CASE WHEN count(revenue_usd) = count(*) THEN sum(revenue_usd) END AS purchase_usd
    FROM (
        SELECT *, row_number() OVER (
            PARTITION BY delivered_for, site_id, purchase ORDER BY event_microseconds, row_order
        ) AS copy
        FROM events WHERE purchase IS NOT NULL
    )
    WHERE copy = 1 GROUP BY ALL
)
SELECT
    'ga4:' || site_id || ':' || visited_on AS site_day_id,
    delivered_for AS seller_id,
    site_id,
    coalesce(session_count, 0) AS session_count,
    coalesce(visitor_count, 0) AS visitor_count,
    coalesce(bounce_count, 0) AS bounce_count,
    coalesce(paid_session_count, 0) AS paid_session_count,
    coalesce(purchase_count, 0) AS purchase_count,
    CASE WHEN purchase_count IS NULL THEN 0 ELSE purchase_usd END AS purchase_usd,
    visited_on AS event_date,
    CAST(visited_on AS TIMESTAMPTZ) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM events
LEFT JOIN traffic USING (delivered_for, site_id, visited_on)
LEFT JOIN purchases USING (delivered_for, site_id, visited_on)
WHERE nth_of_day = 1
ORDER BY row_order
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the events that an earlier table also contained, under whatever name of the property."""
    return rows_delivered_before(of_any_account(raw), "ga4_events")


def silent(raw: pa.Table) -> pa.Table:
    """Return the events that are counted in the row of their day's first event."""
    return run_sql(_SILENT, events=run_sql(_EVENTS, raw=raw))


def remarks(raw: pa.Table) -> pa.Table:
    """Return the events without a session; only purchases among them count."""
    return run_sql(_REMARKS, events=run_sql(_EVENTS, raw=raw))


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``site_day``."""
    events = run_sql(_EVENTS, raw=raw)
    mapped = run_sql(_DAYS, context.parameters, events=events)
    return {"site_day": canonical_table("site_day", mapped, context)}


MAPPING = SourceMapping(
    source="ga4_events",
    covered_tables=("site_day",),
    to_canonical=to_canonical,
    prepare=with_site_key,
    happened="visited_on",
    screen=screen,
    remarks=remarks,
    silent=silent,
)

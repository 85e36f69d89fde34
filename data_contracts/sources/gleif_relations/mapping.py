"""Map relationships between legal entities of the Global LEI Index to ``party_link``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, canonical_table, run_sql

if TYPE_CHECKING:
    import pyarrow as pa

_NO_RECORD = "('ANNULLED', 'DUPLICATE', 'PENDING_VALIDATION')"
_KEY = "start_lei, end_lei, relation_kind"

_REPEATED = f"""
SELECT row_order, 'repeated record' AS reason, CAST(NULL AS VARCHAR) AS rule_id
FROM (
    SELECT row_order, row_number() OVER (
        PARTITION BY delivered_for, {_KEY} ORDER BY updated_at DESC, row_order
    ) AS copy
    FROM raw WHERE start_lei IS NOT NULL AND end_lei IS NOT NULL
)
WHERE copy > 1 ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module

_SILENT = f"""
SELECT row_order, 'record annulled, doubled or not yet validated' AS reason
FROM raw WHERE registration_state IN {_NO_RECORD} ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module

_LINKS = f"""
WITH relations AS (
    SELECT *, relation_kind = 'IS_FEEDER_TO' AS from_start,
        list_filter(
            from_json(coalesce(periods, '[]'), '[{{"StartDate": "VARCHAR", "EndDate": "VARCHAR",
                "PeriodType": "VARCHAR"}}]'),
            lambda part: part.PeriodType = 'RELATIONSHIP_PERIOD'
        )[1] AS period
    FROM raw WHERE registration_state NOT IN {_NO_RECORD}
), dated AS (
    SELECT *, coalesce(try_cast(left(period.StartDate, 10) AS DATE), CAST(registered_at AS DATE)) AS valid_from,
        -- An end is known from the last update of the record, not earlier.
        CASE WHEN period.EndDate IS NOT NULL OR relation_state <> 'ACTIVE' OR registration_state = 'RETIRED'
            THEN greatest(try_cast(left(period.EndDate, 10) AS DATE), CAST(updated_at AS DATE)) END AS ended
    FROM relations
)
SELECT
    'lei:' || start_lei || ':' || end_lei || ':' || relation_kind AS party_link_id,
    'lei:' || CASE WHEN from_start THEN start_lei ELSE end_lei END AS from_party_id,
    'lei:' || CASE WHEN from_start THEN end_lei ELSE start_lei END AS to_party_id,
    CASE relation_kind WHEN 'IS_FUND-MANAGED_BY' THEN 'director' ELSE 'owner' END AS link_type,
    valid_from,
    greatest(valid_from, ended) AS last_day,
    CASE WHEN ended IS NOT NULL THEN last_day END AS valid_to,
    valid_from AS event_date,
    greatest(registered_at, CAST(valid_from AS TIMESTAMPTZ)) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM dated
ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module


def screen(raw: pa.Table) -> pa.Table:
    """Return the relationships superseded by a newer delivery."""
    return run_sql(_REPEATED, raw=raw)


def silent(raw: pa.Table) -> pa.Table:
    """Return the records that state no relationship."""
    return run_sql(_SILENT, raw=raw)


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``party_link``."""
    mapped = run_sql(_LINKS, {"known_lag_days": context.known_lag_days}, raw=raw)
    return {"party_link": canonical_table("party_link", mapped, context)}


MAPPING = SourceMapping(
    source="gleif_relations",
    covered_tables=("party_link",),
    to_canonical=to_canonical,
    happened="registered_at",
    screen=screen,
    silent=silent,
    needs_seller=False,
)

"""Map relationships between legal entities of the Global LEI Index to ``party_link``."""

from __future__ import annotations

import functools

from data_contracts.mapping.lei_records import IS_RECORD, older_records, unregistered_records
from data_contracts.mapping.source_mapping import SourceMapping, query_mapping

# The golden copy's CSV has columns for each period, and its JSON the array of periods one level deeper.
_FIRST_PERIOD, _SECOND_PERIOD = (
    f"{{'StartDate': period_{n}_start, 'EndDate': period_{n}_end, 'PeriodType': period_{n}_type}}" for n in (1, 2)
)

_LINKS = f"""
WITH relations AS (
    SELECT *, relation_kind = 'IS_FEEDER_TO' AS from_start,
        list_filter(
            list_concat(
                from_json(coalesce(periods -> '$.RelationshipPeriod', periods, '[]'),
                    '[{{"StartDate": "VARCHAR", "EndDate": "VARCHAR", "PeriodType": "VARCHAR"}}]'),
                [{_FIRST_PERIOD}, {_SECOND_PERIOD}]
            ),
            lambda part: part.PeriodType = 'RELATIONSHIP_PERIOD'
        )[1] AS period
    FROM raw WHERE {IS_RECORD}
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


MAPPING = SourceMapping(
    source="gleif_relations",
    covered_tables=("party_link",),
    to_canonical=query_mapping(_LINKS, "party_link"),
    happened="registered_at",
    any_period=True,
    screen=functools.partial(older_records, key=("start_lei", "end_lei", "relation_kind")),
    silent=unregistered_records,
    needs_seller=False,
)

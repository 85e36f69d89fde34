"""Map statements of beneficial ownership to ``party`` and ``party_link``.

Names, dates of birth and addresses are dropped. For the network it is enough that two companies are held by the same
record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.repetition import repeated_keys
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, canonical_table, run_sql
from data_contracts.sources.bods_statements.earlier_versions import in_present_form

if TYPE_CHECKING:
    import pyarrow as pa

_STATES = "('state', 'stateBody')"

# Each side of a relationship is a record number as text, or an object that states why no record is named.
_STATEMENTS = """
SELECT *, greatest(stated_at, coalesce(published_at, stated_at)) + to_days($known_lag_days) AS stated_known_at,
    CASE WHEN json_type(subject) = 'VARCHAR' THEN subject ->> '$' END AS held,
    CASE WHEN json_type(interested_party) = 'VARCHAR' THEN interested_party ->> '$' END AS holder,
    row_number() OVER record_history AS nth_of_record,
    lead(CAST(greatest(stated_at, coalesce(published_at, stated_at)) + to_days($known_lag_days) AS DATE))
        OVER record_history AS replaced_on
FROM raw
WINDOW record_history AS (
    PARTITION BY delivered_for, record_number ORDER BY stated_at, published_at NULLS FIRST, row_order
)
"""

_SILENT = f"""
WITH states AS (SELECT DISTINCT record_number FROM statements WHERE entity_kind IN {_STATES})
SELECT row_order, CASE
    WHEN record_kind = 'relationship' AND (held IS NULL OR holder IS NULL) THEN 'link to a party that is not named'
    WHEN record_kind = 'relationship' AND held = holder THEN 'link of a party to itself'
    WHEN record_number IN (FROM states) OR holder IN (FROM states) OR held IN (FROM states)
        THEN 'state, which would tie strangers together'
    WHEN record_kind <> 'relationship' AND nth_of_record > 1 THEN 'later statement on a known party'
    END AS reason
FROM statements WHERE reason IS NOT NULL
ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module

_PARTIES = """
SELECT
    'bods:' || record_number AS party_id,
    CASE record_kind WHEN 'person' THEN 'person' ELSE 'company' END AS party_type,
    CASE WHEN record_kind = 'entity' AND record_number = declared_record THEN delivered_for END AS seller_id,
    CASE WHEN record_kind = 'entity' THEN upper(left(jurisdiction, 2)) END AS country,
    CASE WHEN year(try_cast(left(founded, 10) AS DATE)) >= 1800 THEN try_cast(left(founded, 10) AS DATE) END
        AS registered_on,
    least(coalesce(registered_on, CAST(stated_at AS DATE)), CAST(stated_known_at AS DATE)) AS event_date,
    stated_known_at AS known_at,
    source_file, source_sha256, source_row
FROM statements ANTI JOIN silent USING (row_order)
WHERE record_kind <> 'relationship'
ORDER BY row_order
"""

# One link for each statement and kind of link. A relationship without interests still means ownership or control. A
# statement ends only when its replacement becomes known.
_LINKS = """
WITH interests AS (
    SELECT row_order,
        CASE WHEN part.type IN ('boardMember', 'boardChair', 'appointmentOfBoard', 'seniorManagingOfficial')
            THEN 'director' ELSE 'owner' END AS link_type,
        part.type AS interest,
        try_cast(coalesce(part.share.exact, part.share.minimum, part.share.exclusiveMinimum) AS DOUBLE) AS share,
        try_cast(left(part.startDate, 10) AS DATE) AS began, try_cast(left(part.endDate, 10) AS DATE) AS ended
    FROM (
        SELECT row_order, unnest(coalesce(nullif(from_json(interests, '[{"type": "VARCHAR", "startDate": "VARCHAR",
            "endDate": "VARCHAR", "share": {"exact": "VARCHAR", "minimum": "VARCHAR", "exclusiveMinimum": "VARCHAR"}
            }]'), []), [NULL])) AS part
        FROM statements WHERE record_kind = 'relationship'
    )
), links AS (
    SELECT row_order, link_type, min(began) AS began,
        coalesce(max(share) FILTER (interest = 'shareholding'), max(share) FILTER (interest = 'votingRights')) AS share,
        CASE WHEN count(ended) = count(*) THEN max(ended) END AS ended
    FROM interests GROUP BY row_order, link_type
)
SELECT
    'bods:' || statement_number || ':' || link_type AS party_link_id,
    'bods:' || holder AS from_party_id,
    'bods:' || held AS to_party_id,
    link_type,
    CASE WHEN link_type = 'owner' AND share > 0 AND share <= 100 THEN share END AS share_pct,
    coalesce(began, CAST(stated_at AS DATE)) AS valid_from,
    greatest(valid_from, least(
        coalesce(ended, CASE WHEN record_state = 'closed' THEN CAST(stated_at AS DATE) END), replaced_on - 1
    )) AS last_day,
    CASE WHEN coalesce(ended, replaced_on) IS NOT NULL OR record_state = 'closed' THEN last_day END AS valid_to,
    valid_from AS event_date,
    greatest(stated_known_at, CAST(valid_from AS TIMESTAMPTZ)) AS known_at,
    source_file, source_sha256, source_row
FROM links JOIN statements USING (row_order) ANTI JOIN silent USING (row_order)
ORDER BY row_order, link_type
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the statements delivered before."""
    return repeated_keys(raw, "statement_number")


def silent(raw: pa.Table) -> pa.Table:
    """Return the statements that add no party and no link, with the reason."""
    return run_sql(_SILENT, statements=run_sql(_STATEMENTS, {"known_lag_days": 0}, raw=raw))


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``party`` (one row a record) and ``party_link`` (one row a statement and kind of link)."""
    statements = run_sql(_STATEMENTS, context.parameters, raw=raw)
    left_out = run_sql(_SILENT, statements=statements)
    parties = run_sql(_PARTIES, statements=statements, silent=left_out)
    links = run_sql(_LINKS, statements=statements, silent=left_out)
    return {
        "party": canonical_table("party", parties, context),
        "party_link": canonical_table("party_link", links, context),
    }


MAPPING = SourceMapping(
    source="bods_statements",
    covered_tables=("party", "party_link"),
    to_canonical=to_canonical,
    happened="stated_at",
    prepare=in_present_form,
    any_period=True,
    screen=screen,
    silent=silent,
    unfolds=True,
    needs_seller=False,
)

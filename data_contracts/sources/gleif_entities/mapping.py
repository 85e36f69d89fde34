"""Map legal entities of the Global LEI Index to ``party``."""

from __future__ import annotations

import re

import pyarrow as pa

from data_contracts.entities.identifiers import check_identifier
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, canonical_table, run_sql

_FORM = re.compile("[0-9A-Z]{18}[0-9]{2}")
_NO_RECORD = "('ANNULLED', 'DUPLICATE', 'PENDING_VALIDATION')"

_REPEATED = """
SELECT row_order, 'repeated record' AS reason, CAST(NULL AS VARCHAR) AS rule_id
FROM (
    SELECT row_order, row_number() OVER (PARTITION BY delivered_for, lei ORDER BY updated_at DESC, row_order) AS copy
    FROM raw ANTI JOIN wrong USING (lei) WHERE lei IS NOT NULL
)
WHERE copy > 1
UNION ALL
SELECT row_order, reason, 'lei:check_digits' AS rule_id FROM raw JOIN wrong USING (lei)
ORDER BY row_order
"""

_SILENT = f"""
SELECT row_order, 'record annulled, doubled or not yet validated' AS reason
FROM raw WHERE registration_state IN {_NO_RECORD} ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module

_PARTIES = f"""
SELECT
    'lei:' || lei AS party_id,
    'company' AS party_type,
    upper(left(coalesce(jurisdiction, address_country), 2)) AS country,
    CASE WHEN year(try_cast(left(founded, 10) AS DATE)) >= 1800 THEN try_cast(left(founded, 10) AS DATE) END
        AS registered_on,
    registered_at + to_days($known_lag_days) AS known_at,
    least(coalesce(registered_on, CAST(registered_at AS DATE)), CAST(known_at AS DATE)) AS event_date,
    source_file, source_sha256, source_row
FROM raw WHERE registration_state NOT IN {_NO_RECORD}
ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module


def screen(raw: pa.Table) -> pa.Table:
    """Return the records superseded by a newer delivery, and those with wrong check digits."""
    numbers = sorted({one for one in raw["lei"].to_pylist() if one is not None and _FORM.fullmatch(one)})
    wrong = [(one, found.reason) for one in numbers if (found := check_identifier("lei", one)).reason is not None]
    columns = {
        name: pa.array([pair[place] for pair in wrong], pa.string()) for place, name in enumerate(("lei", "reason"))
    }
    return run_sql(_REPEATED, raw=raw, wrong=pa.table(columns))


def silent(raw: pa.Table) -> pa.Table:
    """Return the records that are not companies."""
    return run_sql(_SILENT, raw=raw)


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``party``; matching decides which seller a company is."""
    mapped = run_sql(_PARTIES, {"known_lag_days": context.known_lag_days}, raw=raw)
    return {"party": canonical_table("party", mapped, context)}


MAPPING = SourceMapping(
    source="gleif_entities",
    covered_tables=("party",),
    to_canonical=to_canonical,
    happened="registered_at",
    screen=screen,
    silent=silent,
    needs_seller=False,
)

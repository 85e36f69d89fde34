"""Map legal entities of the Global LEI Index to ``party``."""

from __future__ import annotations

import re

import pyarrow as pa

from data_contracts.entities.identifiers import check_identifier
from data_contracts.mapping.lei_records import IS_RECORD, older_records, unregistered_records
from data_contracts.mapping.source_mapping import SourceMapping, query_mapping, run_sql

_FORM = re.compile("[0-9A-Z]{18}[0-9]{2}")

_WRONG = """
SELECT row_order, reason, 'lei:check_digits' AS rule_id FROM raw JOIN wrong USING (lei) ORDER BY row_order
"""

# Matching decides which seller a company is.
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
FROM raw WHERE {IS_RECORD}
ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module


def screen(raw: pa.Table) -> pa.Table:
    """Return the records superseded by a newer delivery, and those with wrong check digits."""
    numbers = sorted({one for one in raw["lei"].to_pylist() if one is not None and _FORM.fullmatch(one)})
    wrong = [(one, found.reason) for one in numbers if (found := check_identifier("lei", one)).reason is not None]
    columns = {
        name: pa.array([pair[place] for pair in wrong], pa.string()) for place, name in enumerate(("lei", "reason"))
    }
    listed = pa.table(columns)
    sound = run_sql("SELECT * FROM raw ANTI JOIN wrong USING (lei)", raw=raw, wrong=listed)
    return pa.concat_tables([older_records(sound, ("lei",)), run_sql(_WRONG, raw=raw, wrong=listed)])


MAPPING = SourceMapping(
    source="gleif_entities",
    covered_tables=("party",),
    to_canonical=query_mapping(_PARTIES, "party"),
    happened="registered_at",
    any_period=True,
    screen=screen,
    silent=unregistered_records,
    needs_seller=False,
)

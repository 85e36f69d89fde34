"""Company names from registers, used only for matching: they are kept in memory and never stored.

Only sources are used whose names are all of companies, or that state this for each name. Names of natural persons are
never returned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from data_contracts.arrow import with_column
from data_contracts.entities.identifiers import check_identifier
from data_contracts.mapping.lei_records import IS_RECORD
from data_contracts.mapping.source_mapping import run_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_NAME: Final = 200  # characters; longer texts are not names and slow to compare
_NAME_FIELDS: list[pa.Field[Any]] = [
    *(pa.field(name, pa.string()) for name in ("party_id", "name", "country", "identifier_kind", "identifier")),
    pa.field("known_at", pa.timestamp("us", tz="UTC")),
    *(pa.field(name, pa.string()) for name in ("source", "source_file", "source_sha256")),
    pa.field("source_row", pa.int64()),
]
NAME_SCHEMA: Final = pa.schema(_NAME_FIELDS)
"""One row for each company name: its party, country (ISO 3166 alpha-2) and identifier if known, and its lineage."""

_QUERIES: Final[Mapping[str, str]] = {
    "company_links": """
        SELECT entity_id AS party_id, unnest(string_split(entity_name, '; ')) AS name,
            upper(left(jurisdiction, 2)) AS country, 'uscc' AS identifier_kind,
            unnest(string_split(coalesce(registration_number, ''), '; ')[:1]) AS identifier,
            seen_at + to_days($known_lag_days) AS known_at, source_file, source_sha256, source_row
        FROM raw WHERE entity_schema = 'Company'
    """,
    "gleif_entities": f"""
        SELECT 'lei:' || lei AS party_id, legal_name AS name,
            upper(left(coalesce(jurisdiction, address_country), 2)) AS country,
            'lei' AS identifier_kind, lei AS identifier,
            registered_at + to_days($known_lag_days) AS known_at, source_file, source_sha256, source_row
        FROM raw WHERE {IS_RECORD}
    """,  # noqa: S608 - a constant of our own
    "bods_statements": """
        SELECT 'bods:' || record_number AS party_id, entity_name AS name, upper(left(jurisdiction, 2)) AS country,
            NULL AS identifier_kind, NULL AS identifier,
            greatest(stated_at, coalesce(published_at, stated_at)) + to_days($known_lag_days) AS known_at,
            source_file, source_sha256, source_row
        FROM raw WHERE record_kind = 'entity' AND entity_kind NOT IN ('state', 'stateBody')
    """,
}


def names_companies(source: str) -> bool:
    """Return whether a source provides company names."""
    return source in _QUERIES


def company_names(source: str, identity: str, raw: pa.Table, known_lag_days: int) -> pa.Table:
    """Return the company names in accepted rows: each name of a party once, from when it was first known.

    Args:
        source: name of the source.
        identity: its contract and version.
        raw: typed and accepted rows with lineage.
        known_lag_days: days from a row's event until it is known.

    Returns:
        A table of ``NAME_SCHEMA`` ordered by party and name; empty for sources without company names.
    """
    if source not in _QUERIES or not raw.num_rows:
        return NAME_SCHEMA.empty_table()
    found = run_sql(
        f"""
        SELECT party_id, trim(name) AS name, nullif(country, '') AS country, identifier_kind,
            nullif(trim(identifier), '') AS identifier, known_at, $identity AS source, source_file, source_sha256,
            source_row
        FROM ({_QUERIES[source]}) WHERE trim(name) <> '' AND length(name) <= {LONGEST_NAME}
        QUALIFY row_number() OVER (
            PARTITION BY party_id, trim(name) ORDER BY known_at, source_file, source_row
        ) = 1
        ORDER BY party_id, name
        """,  # noqa: S608 - our own queries
        {"known_lag_days": known_lag_days, "identity": identity},
        raw=raw,
    )
    return _with_valid_identifiers(found.cast(NAME_SCHEMA))


def _with_valid_identifiers(names: pa.Table) -> pa.Table:
    """Return the names with valid identifiers in normal form; invalid identifiers become null."""
    pairs = zip(names["identifier_kind"].to_pylist(), names["identifier"].to_pylist(), strict=True)
    numbers = [None if not kind or not text else check_identifier(kind, text).number for kind, text in pairs]
    return with_column(names, "identifier", pa.array(numbers, pa.string()))

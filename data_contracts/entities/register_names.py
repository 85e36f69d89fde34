"""Names under which registers list companies, for matching alone: they are kept in memory and never stored.

Sources whose names are of companies, or say of each whether it is one; the name of a natural person is never given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from data_contracts.entities.identifiers import check_identifier
from data_contracts.mapping.source_mapping import run_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_NAME: Final = 200  # characters; what is longer is no name, and comparing it would take long
_NAME_FIELDS: list[pa.Field[Any]] = [
    *(pa.field(name, pa.string()) for name in ("party_id", "name", "country", "identifier_kind", "identifier")),
    pa.field("known_at", pa.timestamp("us", tz="UTC")),
    *(pa.field(name, pa.string()) for name in ("source", "source_file", "source_sha256")),
    pa.field("source_row", pa.int64()),
]
NAME_SCHEMA: Final = pa.schema(_NAME_FIELDS)
"""A row a name of a company: its party, country (ISO 3166 alpha-2) and identifier if known, and where it stands."""

_QUERIES: Final[Mapping[str, str]] = {
    "company_links": """
        SELECT entity_id AS party_id, unnest(string_split(entity_name, '; ')) AS name,
            upper(left(jurisdiction, 2)) AS country, 'uscc' AS identifier_kind,
            unnest(string_split(coalesce(registration_number, ''), '; ')[:1]) AS identifier,
            seen_at + to_days($known_lag_days) AS known_at, source_file, source_sha256, source_row
        FROM raw WHERE entity_schema = 'Company'
    """,
    "gleif_entities": """
        SELECT 'lei:' || lei AS party_id, legal_name AS name,
            upper(left(coalesce(jurisdiction, address_country), 2)) AS country,
            'lei' AS identifier_kind, lei AS identifier,
            registered_at + to_days($known_lag_days) AS known_at, source_file, source_sha256, source_row
        FROM raw WHERE registration_state NOT IN ('ANNULLED', 'DUPLICATE', 'PENDING_VALIDATION')
    """,
    "bods_statements": """
        SELECT 'bods:' || record_number AS party_id, entity_name AS name, upper(left(jurisdiction, 2)) AS country,
            NULL AS identifier_kind, NULL AS identifier,
            greatest(stated_at, coalesce(published_at, stated_at)) + to_days($known_lag_days) AS known_at,
            source_file, source_sha256, source_row
        FROM raw WHERE record_kind = 'entity' AND entity_kind NOT IN ('state', 'stateBody')
    """,
}


def names_companies(source: str) -> bool:
    """Whether a source gives names of companies."""
    return source in _QUERIES


def company_names(source: str, identity: str, raw: pa.Table, known_lag_days: int) -> pa.Table:
    """Give the names of companies in accepted rows, each of a party once, from when it was first known.

    Args:
        source: the source.
        identity: its contract and version.
        raw: typed and accepted rows, with lineage.
        known_lag_days: days from a row's event until it is known.

    Returns:
        A table of ``NAME_SCHEMA`` in order of party and name; empty for sources that name no companies.
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
    """Give the names with identifiers whose check digits hold, in their normal form, and without the others."""
    pairs = zip(names["identifier_kind"].to_pylist(), names["identifier"].to_pylist(), strict=True)
    numbers = [None if not kind or not text else check_identifier(kind, text).number for kind, text in pairs]
    place = names.column_names.index("identifier")
    return names.set_column(place, NAME_SCHEMA.field("identifier"), pa.array(numbers, pa.string()))

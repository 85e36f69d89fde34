"""Map FollowTheMoney entities to ``party`` and ``party_link``.

Names, addresses, account and telephone numbers are dropped. For the network it is enough that two companies share a
node, and the node's identifier shows this. Company names are used for matching (``entities.register_names``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.repetition import repeated_rows
from data_contracts.mapping.source_mapping import (
    MappingContext,
    NamedSellers,
    SourceMapping,
    Tables,
    canonical_table,
    run_sql,
)

if TYPE_CHECKING:
    import pyarrow as pa

_PARTIES = """
SELECT
    entity_id AS party_id,
    CASE entity_schema
        WHEN 'Company' THEN 'company'
        WHEN 'Person' THEN 'person'
        WHEN 'Address' THEN 'address'
        WHEN 'BankAccount' THEN 'bank_account'
        ELSE service
    END AS party_type,
    identity_number AS seller_id,
    upper(coalesce(jurisdiction, address_country)) AS country,
    incorporated_on AS registered_on,
    coalesce(incorporated_on, CAST(seen_at AS DATE)) AS event_date,
    seen_at + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM raw
WHERE entity_schema IN ('Company', 'Person', 'Address', 'BankAccount', 'UserAccount')
"""

# Links go from the owner or director to the company, from the company to its assets, from guarantor to debtor.
_LINKS = """
SELECT
    entity_id AS party_link_id,
    coalesce(owner, director, subject) AS from_party_id,
    coalesce(asset, organization, object) AS to_party_id,
    CASE entity_schema
        WHEN 'Ownership' THEN 'owner'
        WHEN 'Directorship' THEN 'director'
        ELSE CASE role WHEN 'guarantor' THEN 'guarantee' ELSE role END
    END AS link_type,
    CAST(share AS DOUBLE) AS share_pct,
    CASE WHEN role = 'guarantor' THEN CAST(split_part(guaranteed_sum, ' ', 2) AS DECIMAL(18, 4)) END AS amount,
    CASE WHEN role = 'guarantor' THEN split_part(guaranteed_sum, ' ', 1) END AS currency,
    coalesce(started_on, CAST(seen_at AS DATE)) AS valid_from,
    ended_on AS valid_to,
    valid_from AS event_date,
    seen_at + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM raw
WHERE entity_schema IN ('Ownership', 'Directorship', 'UnknownLink')
"""


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``party`` and ``party_link``; a fact is known from when it was first seen."""
    links = run_sql(_LINKS, context.parameters, raw=raw)
    return {
        "party": canonical_table("party", run_sql(_PARTIES, context.parameters, raw=raw), context),
        "party_link": canonical_table("party_link", links, context, {"amount_usd": "amount"}),
    }


def screen(raw: pa.Table) -> pa.Table:
    """Return the entities that repeat their last delivery exactly."""
    return repeated_rows(raw, "company_links", "repeated entity", "entity_id")


MAPPING = SourceMapping(
    source="company_links",
    covered_tables=("party", "party_link"),
    to_canonical=to_canonical,
    happened="seen_at",
    any_period=True,
    screen=screen,
    needs_seller=False,
    named_sellers=NamedSellers(
        seller="identity_number",
        party="entity_id",
        linked=("owner", "asset", "director", "organization", "subject", "object"),
    ),
)

"""Map export declarations to ``export_declaration``, one row for each item."""

from __future__ import annotations

import functools

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column
from data_contracts.mapping.code_lists import code_list
from data_contracts.mapping.repetition import repeated_or, repeated_rows
from data_contracts.mapping.source_mapping import (
    MappingContext,
    SourceMapping,
    Tables,
    canonical_table,
    relabelled,
    run_sql,
)
from data_contracts.privacy import keyed_pseudonyms
from data_contracts.sources.customs_declaration.exporters import own_names, rows_of_other_exporters
from data_contracts.sources.customs_declaration.prices import price_doubts

SOURCE = "customs_declaration"

CONSIGNEE = "trim(regexp_replace(upper({name}), '[^A-Z0-9]+', ' ', 'g'))"
"""SQL expression over the name of a consignee: the normalised name, as ``consignee``."""

# A bill "to order" names no consignee; as a shared counterparty it would connect unrelated sellers.
NAMED_CONSIGNEE = r"CASE WHEN NOT regexp_matches(consignee, '^(TO )?(THE )?ORDER( OF\b.*)?$') THEN consignee END"
"""SQL expression over ``consignee``: the consignee if it names somebody, else null."""

_ITEMS = f"""
SELECT
    entry_number || ':' || line_number AS declaration_item_id,
    entry_number AS declaration_id,
    line_number AS item_number,
    delivered_for AS seller_id,
    declaring_customs AS customs_office,
    supervision AS supervision_mode,
    tariff_code AS commodity_code,
    left(tariff_code, 6) AS hs6,
    coalesce(alpha_2, final_country) AS destination_country,
    CASE WHEN terms IN ('5', '6') THEN NULL ELSE terms END AS incoterm,
    traded_quantity AS quantity,
    CASE WHEN legal_unit = '035' THEN legal_quantity END AS net_weight_kg,
    declared_total AS declared_amount,
    money_code AS currency,
    coalesce(agent_code, agent_name) AS agent_id,
    {NAMED_CONSIGNEE} AS consignee_id,
    exported_on AS event_date,
    CAST(exported_on AS TIMESTAMPTZ) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM (
    SELECT *, {CONSIGNEE.format(name="consignee_name")} AS consignee FROM raw
) LEFT JOIN countries ON final_country = alpha_3
ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module


def country_codes() -> pa.Table:
    """Return ISO 3166 country codes: ``alpha_3`` as customs writes them, ``alpha_2`` as the canonical tables do."""
    return code_list(__package__, "countries.toml", "alpha_2_of", ("alpha_3", "alpha_2"))


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``export_declaration``; consignees become keyed pseudonyms of their normalised names."""
    labelled = relabelled(raw, context.contract)
    mapped = run_sql(_ITEMS, context.parameters, raw=labelled, countries=country_codes())
    consignees = keyed_pseudonyms(mapped["consignee_id"], context.hmac_key, "consignee")
    mapped = with_column(mapped, "consignee_id", consignees)
    usd_of = {"declared_amount_usd": "declared_amount"}
    return {"export_declaration": canonical_table("export_declaration", mapped, context, usd_of)}


def screened(source: str, raw: pa.Table) -> pa.Table | None:
    """Return the items that repeat their last delivery, those of other exporters, and those for unknown countries."""
    repeated = repeated_rows(raw, source, "repeated declaration item", "entry_number, line_number")
    repeated = repeated_or(repeated, rows_of_other_exporters(raw).cast(repeated.schema))
    known = pc.is_in(raw["final_country"].cast(pa.string()), country_codes()["alpha_3"])
    unknown = raw.filter(pc.invert(known)).select(["row_order"])
    if not unknown.num_rows:
        return repeated
    objection = run_sql(
        "SELECT row_order, 'unknown country' AS reason, 'final_country:known' AS rule_id FROM unknown", unknown=unknown
    )
    return repeated_or(repeated, objection)


MAPPING = SourceMapping(
    source=SOURCE,
    covered_tables=("export_declaration",),
    to_canonical=to_canonical,
    happened="exported_on",
    screen=functools.partial(screened, SOURCE),
    remarks=price_doubts,
    own_names=own_names,
)

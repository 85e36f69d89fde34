"""The mapping of our own templates, one for all: the file's columns are the table's, but for what is added here."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.compiler import table_template
from data_contracts.definition.templates import EVENT_DATE, KNOWN_AT, PREFIX, SELLER
from data_contracts.mapping.repetition import repeated_rows
from data_contracts.mapping.source_mapping import MappingContext, NamedSellers, SourceMapping, Tables, canonical_table
from data_contracts.privacy import keyed_pseudonyms
from data_contracts.values.casting import cast_columns

if TYPE_CHECKING:
    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from data_contracts.definition.templates import Template
    from data_contracts.lineage import ReadResult

# The lender's own books, and the consents themselves.
_WITHOUT_CONSENT = frozenset({"application", "consent", "loan", "repayment"})


def template_mapping(table: str) -> SourceMapping:
    """Give the mapping of a table's template; ConfigurationRefused when the table has none."""
    template = table_template(table)
    seller_required = template.seller_required
    return SourceMapping(
        source=f"{PREFIX}{table}",
        covered_tables=(table,),
        to_canonical=functools.partial(_to_canonical, template),
        prepare=_with_seller if seller_required else _unchanged,
        cast=_typed,
        screen=functools.partial(_screened, template),
        happened=template.happened,
        needs_seller=False,
        named_sellers=_named_sellers(template),
        parted_by=template.key if _rows_part(template) else None,
    )


def _rows_part(template: Template) -> bool:
    """Tell whether rows of different keys have nothing to do with each other.

    Not where one row tells whose another is, where a key is written in several ways, and where rows of several keys are
    an error together.
    """
    named = _named_sellers(template)
    tells_of_others = named is None or named.party is not None or bool(named.linked)
    is_pseudonym = template.key in {pseudonym.raw_column for pseudonym in template.pseudonyms}
    rules = template.document["schema"][0]["quality"]
    judges_groups = any("GROUP BY" in str(rule.get("query")) and rule.get("severity") != "warning" for rule in rules)
    return not (tells_of_others or is_pseudonym or judges_groups)


def _named_sellers(template: Template) -> NamedSellers | None:
    """Give how rows tell whose they are: by the seller, or by parties, in whose tables a seller is a party."""
    if template.table in _WITHOUT_CONSENT:
        return None
    columns = {column["name"] for column in template.document["schema"][0]["properties"]}
    parties = {one.column: one.raw_column for one in template.pseudonyms if one.purpose == "party"}
    own = parties.pop("party_id", None)
    seller = SELLER if SELLER in columns else None
    return NamedSellers(seller, own, tuple(parties.values())) if seller or parties else None


def _unchanged(rows: pa.Table) -> pa.Table:
    return rows


def _with_seller(text_rows: pa.Table) -> pa.Table:
    """Give the rows with the seller of the delivery where a row names none."""
    named: Values = text_rows[SELLER]
    delivered_for: Values = text_rows["delivered_for"].cast(pa.string())
    is_empty: Values = pc.equal(pc.utf8_trim_whitespace(named), pa.scalar(""))
    filled: Values = pc.if_else(is_empty, pc.fill_null(delivered_for, ""), named)
    return text_rows.set_column(text_rows.column_names.index(SELLER), SELLER, filled)


def _typed(text: ReadResult, contract: CompiledContract) -> ReadResult:
    """Give typed rows; where a row does not say from when it was known, the usual lag after its event says so."""
    typed = cast_columns(text, contract)
    rows = typed.rows
    lag = pa.scalar(contract.known_lag_days * 86_400_000_000, pa.duration("us"))
    usual: Values = pc.add(rows[EVENT_DATE].cast(pa.timestamp("us")), lag).cast(pa.timestamp("us", "UTC"))
    known = pc.coalesce(rows[KNOWN_AT], usual)
    return replace(typed, rows=rows.set_column(rows.column_names.index(KNOWN_AT), KNOWN_AT, known))


def _screened(template: Template, raw: pa.Table) -> pa.Table:
    """Give the rows that say again what was delivered, and those of another seller than the file was delivered for."""
    identity = f"{SELLER}, {template.key}" if template.key_within_seller else template.key
    repeated = repeated_rows(raw, f"{PREFIX}{template.table}", "repeated row", identity)
    if not template.seller_required:
        return repeated
    return pa.concat_tables([repeated, _of_another_seller(raw, repeated.schema)])


def _of_another_seller(raw: pa.Table, schema: pa.Schema) -> pa.Table:
    delivered_for: Values = raw["delivered_for"].cast(pa.string())
    foreign: Values = raw.filter(pc.not_equal(raw[SELLER], delivered_for))
    rule_id = pa.repeat(pa.scalar("delivery:seller_matches"), foreign.num_rows)
    return pa.table({"row_order": foreign["row_order"], "reason": foreign[SELLER], "rule_id": rule_id}).cast(schema)


def _to_canonical(template: Template, raw: pa.Table, context: MappingContext) -> Tables:
    mapped: Values = raw
    for pseudonym in template.pseudonyms:
        values = keyed_pseudonyms(raw[pseudonym.raw_column], context.hmac_key, pseudonym.purpose)
        mapped = mapped.append_column(pseudonym.column, values)
    if template.key_within_seller:
        key: Values = pc.binary_join_element_wise(mapped[SELLER], mapped[template.key], ":")
        mapped = mapped.set_column(mapped.column_names.index(template.key), template.key, key)
    return {template.table: canonical_table(template.table, mapped, context, template.usd_of)}

"""The mapping of all our own templates: the columns of the file are those of the table, except those added here."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column
from data_contracts.definition.compiler import table_template
from data_contracts.definition.templates import EVENT_DATE, KNOWN_AT, PREFIX, SELLER
from data_contracts.mapping.bank.entries import TABLE as BANK_ENTRIES
from data_contracts.mapping.bank.entries import broken_template_rows, template_gaps
from data_contracts.mapping.repetition import repeated_rows
from data_contracts.mapping.source_mapping import MappingContext, NamedSellers, SourceMapping, Tables, canonical_table
from data_contracts.privacy import keyed_pseudonyms
from data_contracts.values.number_format import cast_by_file

if TYPE_CHECKING:
    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from data_contracts.definition.templates import Template
    from data_contracts.lineage import ReadResult

# The lender's own books, and the consents themselves.
_WITHOUT_CONSENT = frozenset({"application", "consent", "loan", "repayment"})
# Tables of events, delivered period by period. The others list what holds or was given, however long ago.
_STREAMS = frozenset(
    {"money_event", "bank_entry", "site_order", "site_day", "social_day", "ad_spend", "logistics_event", "login_event"}
    | {"export_declaration", "export_document", "trade_invoice", "purchase_order", "rating_review", "cash_balance"}
)


def template_mapping(table: str) -> SourceMapping:
    """Return the mapping of a table's template; raise ConfigurationRefused if the table has none."""
    template = table_template(table)
    seller_required = template.seller_required
    return SourceMapping(
        source=f"{PREFIX}{table}",
        covered_tables=(table,),
        to_canonical=functools.partial(_to_canonical, template),
        prepare=_with_seller if seller_required else _unchanged,
        cast=_typed,
        screen=functools.partial(_screened, template),
        remarks=template_gaps if table == BANK_ENTRIES else _nothing_to_remark,
        happened=template.happened,
        any_period=table not in _STREAMS,
        needs_seller=False,
        named_sellers=_named_sellers(template),
        partition_by=template.key if _has_independent_keys(template) else None,
    )


def _has_independent_keys(template: Template) -> bool:
    """Return whether rows with different keys are independent of each other.

    They are not if one row determines the seller of another, if a key has several spellings, if a rule that is more
    than a warning checks groups of rows, or if each balance must follow from the one before.
    """
    named = _named_sellers(template)
    names_other_sellers = named is None or named.party is not None or bool(named.linked)
    is_pseudonym = template.key in {pseudonym.raw_column for pseudonym in template.pseudonyms}
    rules = template.document["schema"][0]["quality"]
    checks_groups = any("GROUP BY" in str(rule.get("query")) and rule.get("severity") != "warning" for rule in rules)
    checks_balances = template.table == BANK_ENTRIES
    return not (names_other_sellers or is_pseudonym or checks_groups or checks_balances)


def _named_sellers(template: Template) -> NamedSellers | None:
    """Return the columns that name the seller: the seller, or parties in tables where a seller is a party."""
    if template.table in _WITHOUT_CONSENT:
        return None
    columns = {column["name"] for column in template.document["schema"][0]["properties"]}
    parties = {one.column: one.raw_column for one in template.pseudonyms if one.purpose == "party"}
    own = parties.pop("party_id", None)
    seller = SELLER if SELLER in columns else None
    return NamedSellers(seller, own, tuple(parties.values())) if seller or parties else None


def _unchanged(rows: pa.Table) -> pa.Table:
    return rows


def _nothing_to_remark(_: pa.Table) -> None:
    return None


def _with_seller(text_rows: pa.Table) -> pa.Table:
    """Return the rows with the seller of the delivery filled in if a row names none."""
    named: Values = text_rows[SELLER]
    delivered_for: Values = text_rows["delivered_for"].cast(pa.string())
    is_empty: Values = pc.equal(pc.utf8_trim_whitespace(named), pa.scalar(""))
    filled: Values = pc.if_else(is_empty, pc.fill_null(delivered_for, ""), named)
    return with_column(text_rows, SELLER, filled)


def _typed(text: ReadResult, contract: CompiledContract) -> ReadResult:
    """Return typed rows; a row without ``known_at`` is known the usual lag after its event."""
    typed = cast_by_file(text, contract)
    rows = typed.rows
    lag = pa.scalar(contract.known_lag_days * 86_400_000_000, pa.duration("us"))
    usual: Values = pc.add(rows[EVENT_DATE].cast(pa.timestamp("us")), lag).cast(pa.timestamp("us", "UTC"))
    known = pc.coalesce(rows[KNOWN_AT], usual)
    return replace(typed, rows=with_column(rows, KNOWN_AT, known))


def _screened(template: Template, raw: pa.Table) -> pa.Table:
    """Return the rows that repeat an earlier delivery, and those of a seller other than the file was delivered for."""
    identity = f"{SELLER}, {template.key}" if template.key_within_seller else template.key
    repeated = repeated_rows(raw, f"{PREFIX}{template.table}", "repeated row", identity)
    if not template.seller_required:
        return repeated
    objections = [repeated, _of_another_seller(raw, repeated.schema)]
    if template.table == BANK_ENTRIES:
        objections.append(_first_objections(broken_template_rows(raw), objections))
    return pa.concat_tables(objections)


def _first_objections(found: pa.Table, others: list[pa.Table]) -> pa.Table:
    """Return the objections to rows to which there is no other."""
    named = pa.concat_tables(others)["row_order"]
    return found.filter(pc.invert(pc.is_in(found["row_order"], value_set=named)))


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
        mapped = with_column(mapped, template.key, key)
    return {template.table: canonical_table(template.table, mapped, context, template.usd_of)}

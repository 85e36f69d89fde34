"""Map Amazon settlements of either flat-file form to ``money_event``.

A settlement is a block of rows that begins with its totals row. The totals row holds what applies to the whole block
(dates, currency) and becomes one payout of the opposite sign, so that a settled account sums to zero. In form V2 a row
has one amount; in form V1 it has one of ten amount columns, or several of them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column
from data_contracts.definition.compiler import source_contract
from data_contracts.definition.contract import CompiledContract, ReadSpec
from data_contracts.lineage import ROW_ORDER, ReadResult, concat_quarantine
from data_contracts.mapping.amazon.marketplaces import currencies, currency_marks, marketplace_marks
from data_contracts.mapping.event_types import event_type_of as matching_event_type
from data_contracts.mapping.event_types import event_type_rules, event_types, money_event_table, unknown_kinds
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, run_sql
from data_contracts.reading.doubts import doubt
from data_contracts.values.casting import cast_columns
from data_contracts.values.datetimes import timestamps_from_text

if TYPE_CHECKING:
    from data_contracts.arrow import Values

KIND = ("transaction_type", "amount_type", "amount_description")
_BLOCK_DATES = ("settlement_start", "settlement_end", "deposit")

# A totals row starts a block. So does a new settlement, in case a block has lost its totals row. Works for text rows
# and typed rows.
_BLOCKS = """
SELECT row_order, count_if(opens) OVER (ORDER BY row_order) AS block
FROM (
    SELECT row_order,
        trim(CAST(settled_total AS VARCHAR)) <> ''
            OR trim(settlement_id) IS DISTINCT FROM lag(trim(settlement_id)) OVER file_rows AS opens
    FROM (SELECT * REPLACE (coalesce(CAST(settled_total AS VARCHAR), '') AS settled_total) FROM raw)
    WINDOW file_rows AS (PARTITION BY file_order ORDER BY row_order)
)
"""

# If a settlement was delivered several times, deliveries that do not add up are ignored; if none adds up, the first is
# kept. Of those that add up, one equal to the delivery before it is a repetition; otherwise it is the next version.
_OBJECTIONS = """
WITH sums AS (
    SELECT block, delivered_for, settlement_id, any_value(file_order) AS file_order,
        any_value(delivered_at) AS delivered_at,
        coalesce(sum({row_amount}), 0) <> coalesce(sum(settled_total), 0) OR count(settled_total) = 0 AS broken
    FROM raw JOIN blocks USING (row_order) GROUP BY block, delivered_for, settlement_id
), ranked AS (
    SELECT *, row_number() OVER (settlement ORDER BY broken, delivered_at, block) AS copy,
        row_number() OVER (settlement_in_file ORDER BY broken, block) AS copy_in_file,
        count(*) OVER settlement > 1 AS several
    FROM sums
    WINDOW settlement AS (PARTITION BY delivered_for, settlement_id),
        settlement_in_file AS (PARTITION BY delivered_for, settlement_id, file_order)
), contents AS (
    SELECT ranked.block, ranked.delivered_for, ranked.settlement_id, ranked.delivered_at,
        list(row({content}) ORDER BY raw.row_order) AS content
    FROM ranked JOIN blocks USING (block) JOIN raw ON raw.row_order = blocks.row_order
    WHERE several AND NOT broken AND copy_in_file = 1 GROUP BY ALL
), compared AS (
    SELECT block, content, lag(content) OVER (PARTITION BY delivered_for, settlement_id ORDER BY delivered_at, block)
        AS before
    FROM contents
), repeated AS (
    SELECT block FROM ranked WHERE copy > 1 AND broken
    UNION SELECT block FROM ranked WHERE copy_in_file > 1
    UNION SELECT block FROM compared WHERE before IS NOT NULL AND content IS NOT DISTINCT FROM before
)
SELECT row_order, 'repeated settlement' AS reason, CAST(NULL AS VARCHAR) AS rule_id
FROM blocks SEMI JOIN repeated USING (block)
ORDER BY row_order
"""

# A settlement with only one readable date uses it for both: it ends before it is paid out.
_EVENTS = """
WITH heads AS (
    SELECT delivered_for, settlement_id, file_order,
        any_value(coalesce(settlement_end, deposit)) AS settlement_end,
        any_value(coalesce(deposit, settlement_end)) AS deposit,
        any_value(money_code) AS currency, min(row_order) AS first_row
    FROM raw WHERE settled_total IS NOT NULL GROUP BY delivered_for, settlement_id, file_order
), marketplaces AS (
    SELECT delivered_for, settlement_id, file_order, min(marketplace_name) AS marketplace
    FROM raw GROUP BY delivered_for, settlement_id, file_order
), lines AS (
    SELECT row_order, '' AS part, 'payout' AS event_type, CAST(NULL AS VARCHAR) AS raw_type,
        CAST(NULL AS VARCHAR) AS raw_subtype, -settled_total AS amount
    FROM raw WHERE settled_total IS NOT NULL
    UNION ALL
    SELECT row_order, part, CASE WHEN event_type = 'advance' AND signed_amount < 0 THEN 'advance_repayment'
        ELSE event_type END, transaction_type, amount_type || '/' || amount_description, signed_amount
    FROM amounts JOIN event_types USING (transaction_type, amount_type, amount_description)
)
SELECT
    concat_ws(':', $prefix, coalesce(account, delivered_for), settlement_id, row_order - first_row, nullif(part, ''))
        AS event_id,
    delivered_for AS seller_id,
    'amazon' AS platform,
    account AS store_id,
    lower(coalesce(marketplace_name, marketplace)) AS marketplace,
    settlement_id AS statement_id,
    amazon_order AS order_id,
    stock_unit AS sku,
    CASE WHEN part IN ('', 'price_amount') THEN purchased END AS quantity,
    event_type,
    lines.raw_type,
    lines.raw_subtype,
    lines.amount,
    currency,
    CASE WHEN settled_total IS NOT NULL THEN heads.deposit ELSE posted_at END AS event_at,
    CASE event_type WHEN 'reserve_hold' THEN 'reserved' WHEN 'reserve_release' THEN 'released' ELSE 'paid' END
        AS status,
    CAST(CASE WHEN settled_total IS NOT NULL THEN heads.deposit ELSE posted_at END AS DATE) AS event_date,
    heads.settlement_end + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM lines
JOIN raw USING (row_order)
JOIN heads USING (delivered_for, settlement_id, file_order)
JOIN marketplaces USING (delivered_for, settlement_id, file_order)
ORDER BY row_order, part
"""

_DECIMAL_MARKS = """
WITH marked AS (
    SELECT block, coalesce(min(by_marketplace.mark), min(by_currency.mark), '.') AS mark
    FROM text_rows
    JOIN blocks USING (row_order)
    LEFT JOIN by_marketplace ON lower(trim(marketplace_name)) = by_marketplace.name
    LEFT JOIN by_currency ON upper(trim(money_code)) = by_currency.name
    GROUP BY block
)
SELECT mark FROM blocks JOIN marked USING (block) ORDER BY row_order
"""

_UNREAD_DATES = """
SELECT row_order, 'date of a settlement cannot be read, another date of it is used: ' || dates_unread AS reason
FROM raw WHERE dates_unread IS NOT NULL
"""

# Amazon settles in the currency of the marketplace. Another one values every amount at another rate.
_OTHER_CURRENCY = f"""
SELECT row_order, '{doubt("a settlement states the currency ")}' || stated || ', but that of '
    || lower(trim(marketplace_name)) || ' is ' || own.currency AS reason
FROM raw JOIN (
    SELECT delivered_for, settlement_id, file_order, any_value(money_code) AS stated FROM raw GROUP BY ALL
) USING (delivered_for, settlement_id, file_order)
JOIN marketplaces AS own ON own.name = lower(trim(marketplace_name))
WHERE stated <> own.currency
"""  # noqa: S608 - put together from constants

# The settlement before another of the same account, currency and marketplace is the last that ends when it begins. A
# settlement without amounts names no marketplace and may be the one before any other.
_CHAIN = """
WITH reserves AS (
    SELECT row_order, sum(signed_amount) FILTER (event_type = 'reserve_hold') AS held,
        sum(signed_amount) FILTER (event_type = 'reserve_release') AS returned
    FROM amounts JOIN event_types USING (transaction_type, amount_type, amount_description)
    WHERE amount_description ILIKE '%reserve amount%' GROUP BY row_order
), settlements AS (
    SELECT delivered_for, "account", settlement_id, file_order, min(row_order) AS row_order,
        any_value(money_code) AS currency, min(lower(marketplace_name)) AS marketplace,
        any_value(settlement_start) AS begins, any_value(settlement_end) AS ends,
        coalesce(sum(held), 0) AS held, coalesce(sum(returned), 0) AS returned
    FROM raw LEFT JOIN reserves USING (row_order) GROUP BY delivered_for, "account", settlement_id, file_order
    QUALIFY row_number() OVER (PARTITION BY delivered_for, "account", settlement_id ORDER BY file_order DESC) = 1
), earlier AS (
    SELECT later.row_order, later.returned, later.begins <= before.ends + to_days(1) AS is_next, before.held
    FROM settlements AS later JOIN settlements AS before
        ON later.delivered_for = before.delivered_for AND later."account" IS NOT DISTINCT FROM before."account"
        AND later.currency = before.currency AND later.settlement_id <> before.settlement_id
        AND coalesce(later.marketplace = before.marketplace, true) AND before.ends <= later.begins + to_days(1)
)
SELECT row_order, CASE WHEN bool_or(is_next) THEN $reserve ELSE $gap END AS reason
FROM earlier GROUP BY row_order HAVING NOT bool_or(is_next AND held + returned = 0)
"""
_GAP = "the settlement before this one was not delivered: its period begins after the end of the last one"
_RESERVE = "the reserve returned is not the reserve that the settlement before held"
_REMARKS = """
SELECT row_order, reason FROM unknown UNION SELECT row_order, reason FROM chain
UNION SELECT row_order, reason FROM unread UNION SELECT row_order, reason FROM other_currency
ORDER BY row_order, reason
"""


@dataclass(frozen=True)
class SettlementForm:
    """A flat-file form of settlements.

    Attributes:
        source: name of the source.
        prefix: first part of the identifiers of its events.
        amounts: query over ``raw`` that returns each amount: ``row_order``, ``part``, the columns of ``KIND`` (never
            null) and ``signed_amount``.
        row_amount: SQL expression over a row that returns the sum of its amounts.
        silent: accepted rows without an amount, as in ``SourceMapping``, or None if the contract refuses such rows.
    """

    source: str
    prefix: str
    amounts: str
    row_amount: str
    silent: str | None = None

    def amounts_of(self, raw: pa.Table) -> pa.Table:
        """Return the amounts of raw rows."""
        return run_sql(self.amounts, raw=raw)

    def prepare(self, text_rows: pa.Table) -> pa.Table:
        """Return the text rows with unreadable dates of totals rows moved to ``dates_unread``.

        The dates of a totals row say when a settlement was paid out, not how much; one of them that cannot be read must
        not set all its amounts aside.
        """
        contract = source_contract(self.source)
        unread: list[Values] = []
        for name in _BLOCK_DATES:
            cell = contract.column(name).cell
            text: Values = pc.utf8_trim_whitespace(text_rows[name].combine_chunks())
            distinct = text.dictionary_encode()
            read: Values = timestamps_from_text(distinct.dictionary, cell.formats, cell.timezone).take(distinct.indices)
            lost = pc.and_(pc.is_null(read), pc.not_equal(text, pa.scalar("")))
            unread.append(pc.if_else(lost, pa.scalar(f" {contract.column(name).header}"), pa.scalar("")))
            text_rows = with_column(text_rows, name, pc.if_else(lost, pa.scalar(""), text))
        return with_column(text_rows, "dates_unread", pc.binary_join_element_wise(*unread, pa.scalar("")))

    def cast(self, result: ReadResult, contract: CompiledContract) -> ReadResult:
        """Cast the text rows, each settlement with the decimal mark of its marketplace, never cell by cell."""
        marks = decimal_marks(result.rows)
        parts = [_cast_by_mark(result, contract, marks, mark) for mark in sorted({".", *marks.to_pylist()})]
        rows = pa.concat_tables([part.rows for part in parts]).unify_dictionaries().sort_by(ROW_ORDER)
        aside = concat_quarantine([part.quarantined for part in parts])
        return dataclasses.replace(result, rows=rows, quarantined=aside)

    def screen(self, raw: pa.Table) -> pa.Table:
        """Return the rows of settlements that repeat another delivery, or do not add up while another one does."""
        content = ", ".join(f'raw."{column.name}"' for column in source_contract(self.source).columns)
        query = _OBJECTIONS.format(content=content, row_amount=self.row_amount)
        return run_sql(query, raw=raw, blocks=run_sql(_BLOCKS, raw=raw))

    def remarks(self, raw: pa.Table) -> pa.Table:
        """Return amounts of unknown kind, unread dates, currencies of other marketplaces, and breaks of the chain."""
        amounts = self.amounts_of(raw)
        unknown = unknown_kinds(amounts, KIND, event_type_rules(__package__))
        types = event_types(amounts, KIND, event_type_rules(__package__))
        chain = run_sql(_CHAIN, {"gap": _GAP, "reserve": _RESERVE}, raw=raw, amounts=amounts, event_types=types)
        unread = run_sql(_UNREAD_DATES, raw=raw)
        other_currency = run_sql(_OTHER_CURRENCY, raw=raw, marketplaces=currencies())
        return run_sql(_REMARKS, unknown=unknown, chain=chain, unread=unread, other_currency=other_currency)

    def silent_rows(self, raw: pa.Table) -> pa.Table | None:
        """Return the accepted rows without an amount."""
        return None if self.silent is None else run_sql(self.silent, raw=raw, amounts=self.amounts_of(raw))

    def to_canonical(self, raw: pa.Table, context: MappingContext) -> Tables:
        """Map raw rows to ``money_event``: one row for each amount, and one payout for each settlement."""
        amounts = self.amounts_of(raw)
        types = event_types(amounts, KIND, event_type_rules(__package__))
        parameters = {"prefix": self.prefix, **context.parameters}
        return money_event_table(run_sql(_EVENTS, parameters, raw=raw, amounts=amounts, event_types=types), context)

    def mapping(self) -> SourceMapping:
        """Return the mapping of the source."""
        return SourceMapping(
            source=self.source,
            covered_tables=("money_event",),
            to_canonical=self.to_canonical,
            prepare=self.prepare,
            cast=self.cast,
            happened="posted_at",
            screen=self.screen,
            remarks=self.remarks,
            silent=self.silent_rows,
            unfolds=self.silent is not None,
            reaches_back_days=31,
            delivered_whole=("statement_id",),
        )


def event_type_of(transaction_type: str, amount_type: str, amount_description: str) -> str:
    """Return the event type of an amount from ``event_types.toml``, or ``other`` if no rule matches.

    >>> event_type_of("REFUND", "ItemFees", "RefundCommission")
    'commission'
    >>> event_type_of("other-transaction", "other-transaction", "Something new")
    'other'
    """
    kind = dict(zip(KIND, (transaction_type, amount_type, amount_description), strict=True))
    return matching_event_type(kind, event_type_rules(__package__))


def decimal_marks(text_rows: pa.Table) -> Values:
    """Return the decimal mark of each text row: that of its block's marketplace, else that of its block's currency."""
    tables = {"text_rows": text_rows, "blocks": run_sql(_BLOCKS, raw=text_rows)}
    marks = {"by_marketplace": marketplace_marks(), "by_currency": currency_marks()}
    return run_sql(_DECIMAL_MARKS, None, **tables, **marks)["mark"]


def _cast_by_mark(result: ReadResult, contract: CompiledContract, marks: Values, mark: str) -> ReadResult:
    read_spec = dataclasses.replace(contract.read_spec or ReadSpec("delimited"), decimal_mark=mark)
    chosen: Values = pc.equal(marks, pa.scalar(mark))
    rows = dataclasses.replace(result, rows=result.rows.filter(chosen))
    return cast_columns(rows, dataclasses.replace(contract, read_spec=read_spec))

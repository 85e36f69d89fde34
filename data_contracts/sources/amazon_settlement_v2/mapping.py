"""Map Amazon settlements to ``money_event``.

A settlement is a block of rows that begins with its totals row. The totals row holds what applies to the whole block
(dates, currency) and becomes one payout of the opposite sign, so that a settled account sums to zero.
"""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.compiler import source_contract
from data_contracts.definition.contract import CompiledContract, ReadSpec
from data_contracts.lineage import ROW_ORDER, ReadResult, concat_quarantine
from data_contracts.mapping.event_types import event_type_of as matching_event_type
from data_contracts.mapping.event_types import event_type_rules, event_types, money_event_table, unknown_kinds
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, run_sql
from data_contracts.values.casting import cast_columns

if TYPE_CHECKING:
    from data_contracts.arrow import Values

_KIND = ("transaction_type", "amount_type", "amount_description")

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
        coalesce(sum(signed_amount), 0) <> coalesce(sum(settled_total), 0) OR count(settled_total) = 0 AS broken
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

_EVENTS = """
WITH heads AS (
    SELECT delivered_for, settlement_id, file_order, any_value(settlement_end) AS settlement_end,
        any_value(deposit) AS deposit, any_value(money_code) AS currency, min(row_order) AS first_row
    FROM raw WHERE settled_total IS NOT NULL GROUP BY delivered_for, settlement_id, file_order
), marketplaces AS (
    SELECT delivered_for, settlement_id, file_order, min(marketplace_name) AS marketplace
    FROM raw GROUP BY delivered_for, settlement_id, file_order
)
SELECT
    'amazon:' || coalesce(account, delivered_for) || ':' || settlement_id || ':' || (row_order - first_row) AS event_id,
    delivered_for AS seller_id,
    'amazon' AS platform,
    account AS store_id,
    lower(coalesce(marketplace_name, marketplace)) AS marketplace,
    settlement_id AS statement_id,
    amazon_order AS order_id,
    stock_unit AS sku,
    purchased AS quantity,
    CASE WHEN settled_total IS NOT NULL THEN 'payout' ELSE event_type END AS event_type,
    transaction_type AS raw_type,
    amount_type || '/' || amount_description AS raw_subtype,
    coalesce(-settled_total, signed_amount) AS amount,
    currency,
    CASE WHEN settled_total IS NOT NULL THEN heads.deposit ELSE posted_at END AS event_at,
    CASE event_type WHEN 'reserve_hold' THEN 'reserved' WHEN 'reserve_release' THEN 'released' ELSE 'paid' END
        AS status,
    CAST(CASE WHEN settled_total IS NOT NULL THEN heads.deposit ELSE posted_at END AS DATE) AS event_date,
    heads.settlement_end + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM raw
JOIN heads USING (delivered_for, settlement_id, file_order)
JOIN marketplaces USING (delivered_for, settlement_id, file_order)
LEFT JOIN event_types USING (transaction_type, amount_type, amount_description)
ORDER BY row_order
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

_AMOUNTS = """
SELECT row_order, transaction_type, amount_type, amount_description FROM raw WHERE signed_amount IS NOT NULL
"""


@functools.cache
def _settings(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def event_type_of(transaction_type: str, amount_type: str, amount_description: str) -> str:
    """Return the event type of an amount from ``event_types.toml``, or ``other`` if no rule matches.

    >>> event_type_of("REFUND", "ItemFees", "RefundCommission")
    'commission'
    >>> event_type_of("other-transaction", "other-transaction", "Something new")
    'other'
    """
    kind = dict(zip(_KIND, (transaction_type, amount_type, amount_description), strict=True))
    return matching_event_type(kind, event_type_rules(__package__))


def cast(result: ReadResult, contract: CompiledContract) -> ReadResult:
    """Cast the text rows, each settlement with the decimal mark of its marketplace, never cell by cell."""
    marks = decimal_marks(result.rows)
    parts = [_cast_by_mark(result, contract, marks, mark) for mark in sorted({".", *marks.to_pylist()})]
    rows = pa.concat_tables([part.rows for part in parts]).unify_dictionaries().sort_by(ROW_ORDER)
    return dataclasses.replace(result, rows=rows, quarantined=concat_quarantine([part.quarantined for part in parts]))


def _cast_by_mark(result: ReadResult, contract: CompiledContract, marks: Values, mark: str) -> ReadResult:
    read_spec = dataclasses.replace(contract.read_spec or ReadSpec("delimited"), decimal_mark=mark)
    chosen: Values = pc.equal(marks, pa.scalar(mark))
    rows = dataclasses.replace(result, rows=result.rows.filter(chosen))
    return cast_columns(rows, dataclasses.replace(contract, read_spec=read_spec))


def decimal_marks(text_rows: pa.Table) -> Values:
    """Return the decimal mark of each text row: that of its block's marketplace, else that of its block's currency."""
    by_marketplace, by_currency = (_mark_table(kind) for kind in ("marketplaces", "currencies"))
    tables = {"text_rows": text_rows, "blocks": run_sql(_BLOCKS, raw=text_rows)}
    return run_sql(_DECIMAL_MARKS, None, **tables, by_marketplace=by_marketplace, by_currency=by_currency)["mark"]


def _mark_table(kind: str) -> pa.Table:
    marks = _settings("marketplaces")[kind]
    return pa.table({"name": list(marks), "mark": list(marks.values())})


def screen(raw: pa.Table) -> pa.Table:
    """Return the rows of settlements that repeat another delivery, or do not add up while another delivery does."""
    content = ", ".join(f'raw."{column.name}"' for column in source_contract("amazon_settlement_v2").columns)
    return run_sql(_OBJECTIONS.format(content=content), raw=raw, blocks=run_sql(_BLOCKS, raw=raw))


def remarks(raw: pa.Table) -> pa.Table:
    """Return the amounts whose kind matches no rule; they count as ``other``."""
    return unknown_kinds(run_sql(_AMOUNTS, raw=raw), _KIND, event_type_rules(__package__))


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``money_event``: one row for each amount, and one payout for each settlement."""
    types = event_types(run_sql(_AMOUNTS, raw=raw), _KIND, event_type_rules(__package__))
    mapped = run_sql(_EVENTS, context.parameters, raw=raw, event_types=types)
    return money_event_table(mapped, context)


MAPPING = SourceMapping(
    source="amazon_settlement_v2",
    covered_tables=("money_event",),
    to_canonical=to_canonical,
    happened="posted_at",
    reaches_back_days=31,
    cast=cast,
    screen=screen,
    remarks=remarks,
    delivered_whole=("statement_id",),
)

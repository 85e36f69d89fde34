"""Map orders of a buyer on 1688 to ``purchase_order``, one row for each paid order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.arrow import with_column
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, canonical_table, run_sql
from data_contracts.privacy import keyed_pseudonyms
from data_contracts.reading.doubts import doubt

if TYPE_CHECKING:
    import pyarrow as pa

    from data_contracts.arrow import Values

# A line without a number belongs to the order above it. Adding the file makes numbers unique across deliveries.
_KEYS = """
SELECT CASE WHEN filled IS NULL THEN '' ELSE concat(filled, '@', file_order) END AS order_key
FROM (
    SELECT row_order, file_order, last_value(nullif(trim(order_number), '') IGNORE NULLS) OVER (
        PARTITION BY file_order ORDER BY row_order
    ) AS filled
    FROM text_rows
)
ORDER BY row_order
"""

_REPEATED = """
SELECT row_order, 'repeated order' AS reason, CAST(NULL AS VARCHAR) AS rule_id
FROM raw JOIN (
    SELECT order_number, row_number() OVER (
        PARTITION BY delivered_for, account, split_part(order_number, '@', 1)
        ORDER BY max(paid_at) NULLS LAST, min(row_order)
    ) AS copy
    FROM raw GROUP BY delivered_for, account, order_number
) USING (order_number)
WHERE copy > 1 ORDER BY row_order
"""

# States as the platform writes them; one with a refund in it in words that are not listed is a refund, too.
_CLOSED = "regexp_matches(state, '关闭|取消')"
_REFUNDING = "regexp_matches(state, '退款|退货|售后|仲裁|纠纷')"
_UNPAID = "regexp_matches(state, '待.*付款|未付款|待支付|待审核')"
_PLACED_STATES = "regexp_matches(state, '成功|完成|发货|收货|已付款|评价|签收')"

_ORDERS = f"""
SELECT order_number, max(paid_at) AS placed_at, trim(any_value(order_state)) AS state,
    CASE
        WHEN {_CLOSED} THEN 'closed order, without the day of closing'
        WHEN {_REFUNDING} THEN 'order with a refund under way or paid'
        WHEN {_UNPAID} OR placed_at IS NULL THEN 'order not paid yet'
    END AS reason
FROM raw GROUP BY order_number
"""  # noqa: S608 - the words above

_REMARKS = f"""
SELECT row_order, '{doubt("status of unknown meaning, read as placed: ")}' || state AS reason
FROM raw JOIN orders USING (order_number)
WHERE reason IS NULL AND NOT {_PLACED_STATES} AND row_order IN (SELECT min(row_order) FROM raw GROUP BY order_number)
ORDER BY row_order
"""  # noqa: S608 - the words above

_SILENT = """
SELECT row_order, reason FROM raw JOIN orders USING (order_number) WHERE reason IS NOT NULL ORDER BY row_order
"""

_PLACED = """
SELECT
    '1688:' || delivered_for || ':' || split_part(order_number, '@', 1) AS purchase_order_id,
    any_value(delivered_for) AS seller_id,
    split_part(order_number, '@', 1) AS order_number,
    coalesce(any_value(supplier_member), any_value(supplier_company)) AS supplier,
    'placed' AS entry_type,
    CAST(sum(pieces) AS INTEGER) AS quantity,
    any_value(paid_total) AS amount,
    'CNY' AS currency,
    CAST(any_value(placed_at) AS DATE) AS event_date,
    any_value(placed_at) + to_days($known_lag_days) AS known_at,
    any_value(source_file) AS source_file, any_value(source_sha256) AS source_sha256, min(source_row) AS source_row
FROM raw JOIN orders USING (order_number)
WHERE reason IS NULL
GROUP BY delivered_for, order_number
ORDER BY min(row_order)
"""


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the rows with their order number on every line, unique across files."""
    keys: Values = run_sql(_KEYS, text_rows=text_rows)["order_key"]
    return with_column(text_rows, "order_number", keys)


def screen(raw: pa.Table) -> pa.Table:
    """Return the lines of orders delivered more than once; the first delivery that shows the payment is kept."""
    return run_sql(_REPEATED, raw=raw)


def silent(raw: pa.Table) -> pa.Table:
    """Return the lines of orders that were closed, given back or not paid."""
    return run_sql(_SILENT, raw=raw, orders=run_sql(_ORDERS, raw=raw))


def remarks(raw: pa.Table) -> pa.Table:
    """Return the orders in a state of unknown meaning, which count as placed."""
    return run_sql(_REMARKS, raw=raw, orders=run_sql(_ORDERS, raw=raw))


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``purchase_order``; suppliers become keyed pseudonyms."""
    mapped = run_sql(_PLACED, context.parameters, raw=raw, orders=run_sql(_ORDERS, raw=raw))
    mapped = mapped.append_column("supplier_id", keyed_pseudonyms(mapped["supplier"], context.hmac_key, "supplier"))
    return {"purchase_order": canonical_table("purchase_order", mapped, context, {"amount_usd": "amount"})}


MAPPING = SourceMapping(
    source="alibaba_1688_orders",
    covered_tables=("purchase_order",),
    to_canonical=to_canonical,
    happened="created_at",
    prepare=prepare,
    screen=screen,
    silent=silent,
    remarks=remarks,
    group_column="order_number",
)

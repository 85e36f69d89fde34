"""Map WooCommerce orders to ``site_order``, one row for each order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.repetition import LinesOfRecords, records_of_another_account, repeated_or
from data_contracts.mapping.site_orders import site_order_table
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, run_sql
from data_contracts.reading.doubts import doubt

if TYPE_CHECKING:
    import pyarrow as pa

# In the JSON text of a list, every number is a string of its digits.
_READ = """
SELECT *,
    list_transform(json_extract_string(lines, '$[*].quantity'), lambda part: try_cast(part AS INTEGER)) AS quantities,
    list_transform(
        json_extract_string(coalesce(refund_lines, '[]'), '$[*].total'), lambda part: try_cast(part AS DECIMAL(18, 4))
    ) AS refunds,
    CASE WHEN json_type(lines) = 'ARRAY' THEN json_array_length(lines) END AS line_count,
    CASE WHEN json_type(coalesce(refund_lines, '[]')) = 'ARRAY'
        THEN json_array_length(coalesce(refund_lines, '[]')) END AS refund_count
FROM raw
"""

_UNREADABLE = """
SELECT row_order, 'lines or refunds cannot be read' AS reason, 'lines:readable' AS rule_id
FROM orders
WHERE list_count(quantities) IS DISTINCT FROM line_count OR list_count(refunds) IS DISTINCT FROM refund_count
"""

# Two shops may use one number, but not for the same buyer, moment and amount.
_OF_ANY_SHOP = LinesOfRecords(
    "row_order",
    "row(any_value(order_number), any_value(created_at), any_value(order_total), any_value(money_code), "
    "any_value(email))",
    condition="any_value(order_number) IS NOT NULL",
)

_REPEATED = """
SELECT row_order, 'repeated order' AS reason, CAST(NULL AS VARCHAR) AS rule_id
FROM (
    SELECT row_order, row_number() OVER (
        PARTITION BY delivered_for, account, order_number ORDER BY modified_at DESC NULLS LAST, row_order
    ) AS copy
    FROM orders ANTI JOIN unreadable USING (row_order) WHERE order_number IS NOT NULL
)
WHERE copy > 1
"""

# Orders paid on delivery are in processing, so these two wait for a payment that may never come.
_IS_UNPAID = "order_state IN ('pending', 'on-hold') AND paid_at IS NULL"
_IS_DRAFT = "order_state IN ('auto-draft', 'checkout-draft', 'draft', 'trash')"
_SILENT = f"""
SELECT row_order, CASE WHEN {_IS_DRAFT} THEN 'draft or in the bin, no order' ELSE 'order not paid yet' END AS reason
FROM raw WHERE {_IS_DRAFT} OR ({_IS_UNPAID})
ORDER BY row_order
"""  # noqa: S608 - constants of this module

_REMARKS = f"""
SELECT row_order, '{doubt("status of unknown meaning, read as not paid: ")}' || order_state AS reason
FROM raw WHERE paid_at IS NULL AND NOT {_IS_DRAFT} AND order_state NOT IN
    ('pending', 'on-hold', 'processing', 'completed', 'cancelled', 'failed', 'refunded')
ORDER BY row_order
"""  # noqa: S608 - constants of this module

# Anything later than known_at had not happened yet.
_ORDERS = f"""
SELECT
    delivered_for || ':' || coalesce(account, '') || ':' || order_number AS site_order_id,
    delivered_for AS seller_id,
    coalesce(account, delivered_for) AS site_id,
    email,
    order_total AS total_amount,
    refunded AS refunded_amount,
    coalesce(discounted, 0) AS discount_amount,
    money_code AS currency,
    CAST(coalesce(list_sum(list_filter(quantities, lambda part: part > 0)), 0) AS INTEGER) AS item_count,
    CASE
        WHEN order_state = 'refunded' OR (refunded > 0 AND refunded >= order_total) THEN 'refunded'
        WHEN order_state IN ('cancelled', 'failed') THEN 'voided'
        WHEN refunded > 0 THEN 'partially_refunded'
        WHEN order_state IN ('processing', 'completed') OR paid_at <= known_at THEN 'paid'
        ELSE 'pending'
    END AS financial_status,
    coalesce(order_state IN ('completed', 'refunded') AND completed_at <= known_at, false) AS is_fulfilled,
    order_state IN ('cancelled', 'failed') AS is_cancelled,
    false AS is_high_risk,
    CASE WHEN completed_at <= known_at
        THEN CAST(greatest(date_diff('day', created_at, completed_at), 0) AS INTEGER) END AS fulfilment_days,
    upper(coalesce(destination, billing_country)) AS destination_country,
    created_at AS event_at,
    CAST(created_at AS DATE) AS event_date,
    known_at,
    source_file, source_sha256, source_row
FROM (
    SELECT *, created_at + to_days($known_lag_days) AS known_at,
        CASE WHEN order_state = 'refunded' AND refund_count = 0 THEN order_total
            ELSE coalesce(list_sum(list_transform(refunds, lambda part: abs(part))), 0) END AS refunded
    FROM orders
)
WHERE NOT {_IS_DRAFT} AND NOT ({_IS_UNPAID})
ORDER BY row_order
"""  # noqa: S608 - constants of this module


def screen(raw: pa.Table) -> pa.Table:
    """Return the orders whose lines cannot be read, and those superseded by a later state."""
    orders = run_sql(_READ, raw=raw)
    unreadable = run_sql(_UNREADABLE, orders=orders)
    query = f"SELECT * FROM ({_REPEATED}) UNION ALL SELECT * FROM unreadable ORDER BY row_order"  # noqa: S608 - our own
    found = run_sql(query, orders=orders, unreadable=unreadable)
    return repeated_or(found, records_of_another_account(raw, "repeated order", _OF_ANY_SHOP))


def silent(raw: pa.Table) -> pa.Table:
    """Return the drafts, the orders in the trash, and those that wait for their payment."""
    return run_sql(_SILENT, raw=raw)


def remarks(raw: pa.Table) -> pa.Table:
    """Return the unpaid orders in a state of unknown meaning."""
    return run_sql(_REMARKS, raw=raw)


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``site_order``; customers become keyed pseudonyms of their e-mail addresses."""
    mapped = run_sql(_ORDERS, context.parameters, orders=run_sql(_READ, raw=raw))
    return site_order_table(mapped, "email", context)


MAPPING = SourceMapping(
    source="woocommerce_orders",
    covered_tables=("site_order",),
    to_canonical=to_canonical,
    happened="created_at",
    screen=screen,
    silent=silent,
    remarks=remarks,
)

"""Map Shopify order lines to ``site_order``, one row for each order.

The fields of an order are on its first line, the one with an Id; the lines below it only list goods. Order numbers
repeat between shops, and a second export repeats orders of the first. The key of a line is therefore made of the shop,
the number and the start of its run of lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.arrow import with_column
from data_contracts.mapping.repetition import LinesOfRecords, records_of_another_account, repeated_or, repeated_records
from data_contracts.mapping.site_orders import site_order_table
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, run_sql

if TYPE_CHECKING:
    import pyarrow as pa

# A run is the first line of an order and the following lines with the same number.
_KEYS = """
SELECT concat(coalesce(account, delivered_for), order_name, '@', max(CASE WHEN opens THEN row_order END) OVER (
    PARTITION BY file_order ORDER BY row_order)) AS order_key
FROM (
    SELECT *,
        trim(shop_order_number) <> '' OR order_name IS DISTINCT FROM lag(order_name) OVER (
            PARTITION BY file_order ORDER BY row_order) AS opens
    FROM text_rows
)
ORDER BY row_order
"""

_NUMBER = "regexp_replace(order_name, '@[0-9]+$', '')"

# The export shows the current state of an old order; anything later than known_at had not happened yet. An order
# exported again in another state is known from the day of that delivery.
_ORDERS = f"""
SELECT
    {_NUMBER} AS site_order_id,
    delivered_for AS seller_id,
    coalesce(account, delivered_for) AS site_id,
    email,
    order_total AS total_amount,
    coalesce(refunded, 0) AS refunded_amount,
    coalesce(discounted, 0) AS discount_amount,
    money_code AS currency,
    item_count,
    payment_state AS financial_status,
    coalesce(delivery_state = 'fulfilled' AND (fulfilled_at IS NULL OR fulfilled_at <= known_at), false)
        AS is_fulfilled,
    coalesce(cancelled_at <= known_at, false) AS is_cancelled,
    coalesce(risk = 'High', false) AS is_high_risk,
    CASE WHEN fulfilled_at <= known_at
        THEN CAST(greatest(date_diff('day', created_at, fulfilled_at), 0) AS INTEGER) END AS fulfilment_days,
    destination AS destination_country,
    created_at AS event_at,
    CAST(created_at AS DATE) AS event_date,
    known_at,
    source_file, source_sha256, source_row
FROM (
    SELECT *, CASE WHEN row_number() OVER (PARTITION BY delivered_for, {_NUMBER} ORDER BY delivered_at, file_order) > 1
        THEN greatest(usual, delivered_at) ELSE usual END AS known_at
    FROM (SELECT *, created_at + to_days($known_lag_days) AS usual FROM raw WHERE shop_order_number IS NOT NULL)
)
JOIN (SELECT order_name, CAST(sum(line_quantity) AS INTEGER) AS item_count FROM raw GROUP BY order_name)
USING (order_name)
ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the rows with order keys that are unique across shops and exports in place of order numbers."""
    keys = run_sql(_KEYS, text_rows=text_rows)["order_key"]
    return with_column(text_rows, "order_name", keys)


def screen(raw: pa.Table) -> pa.Table:
    """Return the lines of orders that repeat their last delivery."""
    lines = LinesOfRecords("order_name", _NUMBER, condition="count(shop_order_number) > 0")
    repeated = repeated_records(raw, "shopify_orders", "repeated order", lines)
    # An Id is unique among all shops, whatever a delivery calls the shop.
    ids = LinesOfRecords("order_name", "max(shop_order_number)", condition="count(shop_order_number) > 0")
    return repeated_or(repeated, records_of_another_account(raw, "repeated order", ids))


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``site_order``; customers become keyed pseudonyms of their e-mail addresses."""
    mapped = run_sql(_ORDERS, context.parameters, raw=raw)
    return site_order_table(mapped, "email", context)


MAPPING = SourceMapping(
    source="shopify_orders",
    covered_tables=("site_order",),
    to_canonical=to_canonical,
    happened="created_at",
    prepare=prepare,
    screen=screen,
    group_column="order_name",
)

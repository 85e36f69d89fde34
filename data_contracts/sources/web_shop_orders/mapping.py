"""Map order lines of a web shop to ``site_order``, one row for each order or credit note.

A credit note does not name the order it cancels. It is therefore a row of its own, cancelled, that refunds the sum of
its lines on the day it was written. It is not known before that day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.arrow import with_column
from data_contracts.mapping.code_lists import country_names
from data_contracts.mapping.repetition import LinesOfRecords, records_of_another_account, repeated_or, repeated_records
from data_contracts.mapping.site_orders import site_order_table
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, run_sql

if TYPE_CHECKING:
    import pyarrow as pa

    from data_contracts.arrow import Values

# Order numbers repeat between shops, and a second export repeats orders of the first.
_KEYS = """
SELECT CASE WHEN trim(order_number) = '' THEN order_number
    ELSE concat(account, ':', trim(order_number), '@', file_order) END AS order_key
FROM text_rows ORDER BY row_order
"""

# Two shops may use one number, but not for the same customer, moment and amounts.
_OF_ANY_SHOP = LinesOfRecords(
    "order_number",
    "row(any_value(substr(regexp_replace(order_number, '@[0-9]+$', ''), length(coalesce(account, '')) + 2)), "
    "min(ordered_at), min(customer_number), list(row(stock_code, line_quantity, line_price) ORDER BY row_order))",
)

# Stock codes of lines that are not goods: other charges to the customer, and lines that belong to no customer.
_LINES = """
SELECT *, line_quantity * line_price AS line_amount,
    upper(stock_code) IN ('POST', 'DOT', 'C2', 'M', 'D') AS is_charge,
    regexp_matches(order_number, ':[cC][^:]*@[0-9]+$') AS is_credit_note,
    CASE
        WHEN upper(stock_code) IN ('ADJUST', 'ADJUST2', 'AMAZONFEE', 'B', 'BANK CHARGES', 'CRUK', 'S')
            OR upper(stock_code) LIKE 'TEST%' THEN 'fee, correction or test, no order line'
        WHEN customer_number IS NULL AND max(abs(line_price)) OVER (PARTITION BY order_number) = 0
            THEN 'correction of stock, no order'
    END AS reason
FROM raw
"""

_SILENT = "SELECT row_order, reason FROM lines WHERE reason IS NOT NULL ORDER BY row_order"

# Spreadsheets may add a fraction to whole numbers: customer 13085.0 is customer 13085.
_ORDERS = """
SELECT
    coalesce(delivered_for, '') || ':' || regexp_replace(order_number, '@[0-9]+$', '') AS site_order_id,
    any_value(delivered_for) AS seller_id,
    coalesce(any_value(account), any_value(delivered_for)) AS site_id,
    site_id || ':' || regexp_replace(any_value(customer_number), '[.]0$', '') AS customer,
    coalesce(sum(line_amount) FILTER (line_amount > 0), 0) AS total_amount,
    coalesce(-sum(line_amount) FILTER (line_amount < 0 AND upper(stock_code) <> 'D'), 0) AS refunded_amount,
    coalesce(-sum(line_amount) FILTER (line_amount < 0 AND upper(stock_code) = 'D'), 0) AS discount_amount,
    any_value(money_code) AS currency,
    CAST(coalesce(sum(line_quantity) FILTER (line_quantity > 0 AND NOT is_charge), 0) AS INTEGER) AS item_count,
    CASE WHEN is_credit_note THEN 'refunded' ELSE 'paid' END AS financial_status,
    NOT is_credit_note AS is_fulfilled,
    is_credit_note AS is_cancelled,
    false AS is_high_risk,
    any_value(coalesce(alpha_2, CASE WHEN regexp_full_match(country_name, '[A-Z]{2}') THEN country_name END))
        AS destination_country,
    min(ordered_at) AS event_at,
    CAST(min(ordered_at) AS DATE) AS event_date,
    min(ordered_at) + to_days($known_lag_days) AS known_at,
    any_value(source_file) AS source_file, any_value(source_sha256) AS source_sha256, min(source_row) AS source_row
FROM lines LEFT JOIN countries ON lower(trim(country_name)) = folded_name
WHERE reason IS NULL
GROUP BY delivered_for, order_number, is_credit_note
ORDER BY min(row_order)
"""


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the rows with order keys that are unique across shops and files in place of order numbers."""
    keys: Values = run_sql(_KEYS, text_rows=text_rows)["order_key"]
    return with_column(text_rows, "order_number", keys)


def screen(raw: pa.Table) -> pa.Table:
    """Return the lines of orders that repeat their last delivery."""
    lines = LinesOfRecords("order_number", "regexp_replace(order_number, '@[0-9]+$', '')")
    repeated = repeated_records(raw, "web_shop_orders", "repeated order", lines)
    return repeated_or(repeated, records_of_another_account(raw, "repeated order", _OF_ANY_SHOP))


def silent(raw: pa.Table) -> pa.Table:
    """Return the lines that belong to no order."""
    return run_sql(_SILENT, lines=run_sql(_LINES, raw=raw))


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``site_order``; customers become keyed pseudonyms of shop and number."""
    mapped = run_sql(_ORDERS, context.parameters, lines=run_sql(_LINES, raw=raw), countries=country_names(__package__))
    return site_order_table(mapped, "customer", context)


MAPPING = SourceMapping(
    source="web_shop_orders",
    covered_tables=("site_order",),
    to_canonical=to_canonical,
    happened="ordered_at",
    prepare=prepare,
    screen=screen,
    silent=silent,
    group_column="order_number",
    partition_by="order_number",
)

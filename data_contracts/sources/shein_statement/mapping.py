"""Map SHEIN statements to ``money_event``: price and charges of each item, and one payout for each settled report.

Charges are written without sign. The price of an item is its income with the charges added back, so the amounts of an
item sum to its income whatever the charges are called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.event_types import money_event_table
from data_contracts.mapping.repetition import superseded_records
from data_contracts.mapping.source_mapping import (
    MappingContext,
    SourceMapping,
    Tables,
    relabelled,
    run_sql,
)
from data_contracts.reading.doubts import doubt

if TYPE_CHECKING:
    import pyarrow as pa

_BROKEN = (
    "count(statement_total) = 0 OR (count(item_income) > 0 AND sum(item_income) <> coalesce(sum(statement_total), 0))"
)

# Column, event type, and whether it increases (1) or reduces (-1) the seller's income.
CHARGES = (
    ("seller_tax", "withholding_tax", -1),
    ("commission_tax", "commission", -1),
    ("withheld", "withholding_tax", -1),
    ("commission", "commission", -1),
    ("fulfilment", "fulfilment_fee", -1),
    ("stocking", "storage_fee", -1),
    ("return_handling", "fulfilment_fee", -1),
    ("service", "commission", -1),
    ("coupon", "discount", -1),
    ("return_freight", "compensation", 1),
    ("subsidy", "compensation", 1),
)
_NET_CHARGES = " + ".join(f"{sign} * abs(coalesce({name}, 0))" for name, _, sign in CHARGES)
_CHARGE_ROWS = "\n".join(
    f"UNION ALL SELECT * EXCLUDE (part, event_type, amount), {number} AS part, '{kind}' AS event_type, "  # noqa: S608
    f"direction * {sign} * abs({name}) AS amount FROM entries WHERE item_income IS NOT NULL AND {name} <> 0"
    for number, (name, kind, sign) in enumerate(CHARGES, start=1)
)

# A report pays many statements at once; its payout is added to the first of them.
_HEADS = """
SELECT *,
    CASE flow WHEN '1' THEN 1 ELSE -1 END AS direction,
    settlement_state = $paid AS settled,
    coalesce(report_number, statement_number) AS paid_with,
    count(item_income) OVER (PARTITION BY delivered_for, statement_number) > 0 AS has_items,
    statement_total IS NOT NULL AND settlement_state = $paid AND row_order = min(row_order) FILTER (
        WHERE statement_total IS NOT NULL AND settlement_state = $paid
    ) OVER (PARTITION BY delivered_for, coalesce(report_number, statement_number)) AS pays_out
FROM raw
"""

_EVENTS = f"""
WITH entries AS (
    SELECT *, 0 AS part, CAST(NULL AS VARCHAR) AS event_type, CAST(0 AS DECIMAL(18, 4)) AS amount FROM heads
), payouts AS (
    SELECT delivered_for, paid_with, -sum(direction * statement_total) AS paid
    FROM heads WHERE settled AND statement_total IS NOT NULL GROUP BY delivered_for, paid_with
), parts AS (
    SELECT * EXCLUDE (part, event_type, amount), 0 AS part,
        CASE flow WHEN '1' THEN 'sale' ELSE 'refund' END AS event_type,
        direction * (item_income - ({_NET_CHARGES})) AS amount
    FROM entries WHERE item_income IS NOT NULL
    {_CHARGE_ROWS}
    UNION ALL SELECT * EXCLUDE (part, event_type, amount), 0 AS part, 'other' AS event_type,
        direction * statement_total AS amount
    FROM entries WHERE statement_total IS NOT NULL AND NOT has_items
    UNION ALL SELECT entries.* EXCLUDE (part, event_type, amount), 99 AS part, 'payout' AS event_type, paid AS amount
    FROM entries JOIN payouts USING (delivered_for, paid_with) WHERE pays_out
)
SELECT
    'shein:' || coalesce(account, delivered_for) || ':' || statement_number || ':' || source_item || ':' || part
        AS event_id,
    delivered_for AS seller_id,
    'SHEIN' AS platform,
    account AS store_id,
    sales_site AS marketplace,
    paid_with AS statement_id,
    CASE WHEN part <> 99 THEN business_order END AS order_id,
    stock_unit AS sku,
    event_type,
    order_kind AS raw_type,
    amount,
    money_code AS currency,
    CASE WHEN part = 99 THEN completed_at ELSE happened_at END AS event_at,
    CAST(expected_at AS DATE) AS available_on,
    CASE WHEN settled THEN CAST(completed_at AS DATE) END AS paid_out_on,
    settlement_state AS status,
    CAST(CASE WHEN part = 99 THEN completed_at ELSE happened_at END AS DATE) AS event_date,
    CASE WHEN part = 99 THEN completed_at ELSE happened_at END + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM parts
ORDER BY row_order, part
"""  # noqa: S608 - put together from constants of this module

_SILENT = """
SELECT row_order, CASE WHEN settled THEN 'statement paid with another of its report'
    ELSE 'statement not settled yet, so without a payout' END AS reason
FROM heads WHERE statement_total IS NOT NULL AND has_items AND NOT pays_out
ORDER BY row_order
"""

_REMARKS = """
SELECT row_order, concat_ws(' / ', 'charge of unknown kind', order_kind) AS reason
FROM heads WHERE statement_total IS NOT NULL AND NOT has_items
UNION ALL SELECT row_order, $unexplained FROM (
    SELECT row_order, item_income - (NET_CHARGES) AS gross,
        coalesce(try_cast(refund_ratio AS DECIMAL(9, 4)), 1) AS part,
        [price, cost_price, promotion_price, seller_promotion_price] AS prices
    FROM heads WHERE item_income IS NOT NULL AND price IS NOT NULL
) WHERE NOT list_has_any(
    [gross], list_concat(prices, list_transform(prices, lambda one: CAST(round(one * part, 2) AS DECIMAL(18, 4))))
)
ORDER BY row_order
""".replace("NET_CHARGES", _NET_CHARGES)
_UNEXPLAINED = doubt("the income of an item with its charges is none of its prices, so a charge may be missing")


def screen(raw: pa.Table) -> pa.Table:
    """Return the rows of statements that were delivered again in a later state."""
    return superseded_records(raw, "statement_number", "completed_at", _BROKEN, "repeated statement")


def silent(raw: pa.Table) -> pa.Table:
    """Return the statement rows whose amounts are in their items and whose payout is in another row."""
    return run_sql(_SILENT, heads=_heads(raw, "3"))


def remarks(raw: pa.Table) -> pa.Table:
    """Return the statements without items, which count as ``other``, and the items whose price is not explained."""
    return run_sql(_REMARKS, {"unexplained": _UNEXPLAINED}, heads=_heads(raw, "3"))


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``money_event``: price and charges of each item, and one payout for each settled report."""
    heads = _heads(relabelled(raw, context.contract), "paid")
    mapped = run_sql(_EVENTS, context.parameters, heads=heads)
    return money_event_table(mapped, context)


def _heads(raw: pa.Table, paid: str) -> pa.Table:
    return run_sql(_HEADS, {"paid": paid}, raw=raw)


MAPPING = SourceMapping(
    source="shein_statement",
    covered_tables=("money_event",),
    to_canonical=to_canonical,
    happened="happened_at",
    screen=screen,
    remarks=remarks,
    silent=silent,
    unfolds=True,
)

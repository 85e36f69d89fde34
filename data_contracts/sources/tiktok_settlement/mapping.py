"""Map TikTok Shop settlements to ``money_event``: the sums of each order, their remainder, and payouts."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from data_contracts.arrow import with_column
from data_contracts.mapping.days.written_days import WrittenDays
from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import rows_delivered_before
from data_contracts.values.money_text import with_plain_amounts

_AMOUNTS = (
    *("settled_amount", "estimated_amount", "net_sales", "total_revenue", "discounted_sales", "discounted_refunds"),
    *("shipping", "all_fees", "adjustment"),
)
_DAYS = ("stated_on", "settled_on", "ordered_on", "delivered_on")

# A row of another type than an order is an adjustment as a whole. The payout of a payment is added to the first of its
# rows.
_ENTRIES = """
WITH summed AS (
    SELECT *, estimated_amount IS NOT NULL AS estimated,
        coalesce(net_sales, total_revenue, discounted_sales + coalesce(discounted_refunds, 0)) AS sales,
        lower(transaction_type) IN ('order', 'refund') AS is_order
    FROM raw
), remaining AS (
    SELECT *, settled_amount - coalesce(sales, 0) - coalesce(shipping, 0) - coalesce(all_fees, 0)
        - coalesce(adjustment, 0) AS remainder
    FROM summed
), stated AS (
    SELECT *,
        CASE WHEN adjustment IS NULL AND NOT is_order THEN remainder ELSE adjustment END AS adjusted,
        CASE WHEN adjustment IS NOT NULL OR is_order THEN remainder END AS rest,
        CASE WHEN payment_number IS NOT NULL AND lower(state) IN ('paid', 'settled', 'completed')
            AND row_number() OVER payment = 1
            THEN -sum(settled_amount) OVER (PARTITION BY delivered_for, account, payment_number, money_code) END
            AS payout_amount
    FROM remaining
    WINDOW payment AS (PARTITION BY delivered_for, account, payment_number, money_code ORDER BY row_order)
)
SELECT stated.*, left(source_sha256, 16) || ':' || source_row AS identity, part, amount,
    CASE WHEN part = 'estimate' THEN 'other' END AS event_type,
    CASE WHEN amount > 0 THEN 'in' ELSE 'out' END AS direction,
    CASE WHEN is_order THEN 'order' ELSE CAST(transaction_type AS VARCHAR) END AS kind,
    CASE WHEN is_order OR related_order IS NOT NULL THEN 'of an order' ELSE 'of no order' END AS belonging,
    CASE WHEN part <> 'payout' THEN order_number END AS order_id,
    CASE WHEN part <> 'payout' THEN stock_unit END AS sku,
    CASE WHEN part = 'sales' THEN sign(amount) * abs(pieces) END AS quantity,
    transaction_type AS raw_type, coalesce(adjustment_reason, part) AS raw_subtype, money_code AS currency,
    coalesce(payment_number, statement_number) AS statement_id,
    CAST(NULL AS TIMESTAMPTZ) AS event_at,
    CASE WHEN estimated THEN coalesce(ordered_on, covered_to) ELSE stated_on END AS event_date,
    TRY_CAST(replace(expected_on, '/', '-') AS DATE) AS available_on,
    CASE WHEN payment_number IS NOT NULL AND NOT estimated THEN stated_on END AS paid_out_on,
    CASE WHEN estimated THEN 'estimated' WHEN lower(state) IN ('paid', 'settled', 'completed') THEN 'paid'
        ELSE 'released' END AS status
FROM stated, LATERAL (
    SELECT unnest(['sales', 'shipping', 'fees', 'adjustment',
            CASE WHEN sales IS NULL THEN 'sum of sales not known' ELSE 'rest' END, 'payout', 'estimate']) AS part,
        unnest([sales, shipping, all_fees, adjusted, rest, payout_amount, estimated_amount]) AS amount
)
WHERE amount <> 0 AND (part = 'estimate') = estimated
"""


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the text rows with plain amounts, and with the settled time as statement date where there is none."""
    rows = with_plain_amounts(text_rows, _AMOUNTS, "money_code")
    stated: list[Any] = rows["stated_on"].to_pylist()
    settled: list[Any] = rows["settled_on"].to_pylist()
    days = [day if _given(day) else other for day, other in zip(stated, settled, strict=True)]
    return with_column(rows, "stated_on", pa.array(days, pa.string()))


def _given(cell: str) -> bool:
    return cell.strip() not in {"", "/", "-"}


def screen(raw: pa.Table) -> pa.Table:
    """Return the rows delivered before; of one delivered before and after its payment, the paid one is kept."""
    return rows_delivered_before(
        raw, "tiktok_settlement", ignoring=("payment_number", "state"), waits="payment_number IS NULL"
    )


MAPPING = MoneyEventSource(
    source="tiktok_settlement",
    platform="TikTok Shop",
    entries=_ENTRIES,
    kinds=("part", "direction", "kind", "belonging"),
    silent_reason="'row without an amount'",
    screen=screen,
    prepare=prepare,
    days=WrittenDays(columns=_DAYS),
    happened="stated_on",
).mapping()

"""Map TikTok Shop settlements to ``money_event``: the sums of each order, their remainder, and payouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import rows_delivered_before

if TYPE_CHECKING:
    import pyarrow as pa

# Without a statement the amounts are estimates. The payout of a payment is added to the first of its rows.
_ENTRIES = """
WITH stated AS (
    SELECT *, statement_number IS NULL AS estimated,
        settled_amount - coalesce(net_sales, 0) - coalesce(shipping, 0) - coalesce(all_fees, 0)
            - coalesce(adjustment, 0) AS rest,
        CASE WHEN payment_number IS NOT NULL AND lower(state) IN ('paid', 'settled', 'completed')
            AND row_number() OVER payment = 1
            THEN -sum(settled_amount) OVER (PARTITION BY delivered_for, account, payment_number, money_code) END
            AS payout_amount
    FROM raw
    WINDOW payment AS (PARTITION BY delivered_for, account, payment_number, money_code ORDER BY row_order)
)
SELECT stated.*, left(source_sha256, 16) || ':' || source_row AS identity, part, amount,
    CASE WHEN part IN ('rest', 'estimate') THEN 'other' END AS event_type,
    CASE WHEN amount > 0 THEN 'in' ELSE 'out' END AS direction,
    CASE WHEN part <> 'payout' THEN order_number END AS order_id,
    CASE WHEN part <> 'payout' THEN stock_unit END AS sku,
    CASE WHEN part = 'sales' THEN sign(amount) * abs(pieces) END AS quantity,
    transaction_type AS raw_type, coalesce(adjustment_reason, part) AS raw_subtype, money_code AS currency,
    coalesce(payment_number, statement_number) AS statement_id,
    CAST(NULL AS TIMESTAMPTZ) AS event_at,
    CASE WHEN estimated THEN coalesce(ordered_on, covered_to) ELSE stated_on END AS event_date,
    expected_on AS available_on,
    CASE WHEN payment_number IS NOT NULL AND NOT estimated THEN stated_on END AS paid_out_on,
    CASE WHEN estimated THEN 'estimated' WHEN lower(state) IN ('paid', 'settled', 'completed') THEN 'paid'
        ELSE 'released' END AS status
FROM stated, LATERAL (
    SELECT unnest(['sales', 'shipping', 'fees', 'adjustment', 'rest', 'payout', 'estimate']) AS part,
        unnest([net_sales, shipping, all_fees, adjustment, rest, payout_amount, settled_amount]) AS amount
)
WHERE amount <> 0 AND (part = 'estimate') = estimated
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the rows delivered before; of one delivered before and after its payment, the paid one is kept."""
    return rows_delivered_before(
        raw, "tiktok_settlement", ignoring=("payment_number", "state"), first="payment_number IS NULL, file_order"
    )


MAPPING = MoneyEventSource(
    source="tiktok_settlement",
    platform="TikTok Shop",
    entries=_ENTRIES,
    kinds=("part", "direction"),
    silent_reason="'row without an amount'",
    screen=screen,
    happened="stated_on",
).mapping()

"""Map Shopify Payments transactions to ``money_event``: amount and fee of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.days.written_days import WrittenDays
from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import rows_delivered_before
from data_contracts.values.money_text import NumberStyle, with_plain_amounts

if TYPE_CHECKING:
    import pyarrow as pa

_ENTRIES = """
SELECT raw.*, left(source_sha256, 16) || ':' || source_row AS identity, part, amount,
    CAST(NULL AS VARCHAR) AS event_type, replace(lower(transaction_type), ' ', '_') AS kind,
    CASE WHEN amount > 0 THEN 'in' ELSE 'out' END AS direction,
    order_name AS order_id, transaction_type AS raw_type, money_code AS currency,
    paid_on || ':' || money_code AS statement_id,
    transacted_at AS event_at, CAST(transacted_at AS DATE) AS event_date, free_on AS available_on,
    CASE WHEN payout_state = 'paid' THEN paid_on END AS paid_out_on,
    CASE payout_state WHEN 'paid' THEN 'paid' WHEN 'pending' THEN 'deferred' ELSE 'released' END AS status
FROM raw, LATERAL (SELECT unnest(['amount', 'fee']) AS part, unnest([gross, -processing_fee]) AS amount)
WHERE amount <> 0 AND NOT regexp_matches(lower(transaction_type), '^(payout|transfer)')
"""

_SILENT = """
CASE WHEN regexp_matches(lower(transaction_type), '^(payout|transfer)') THEN 'payout, which the payouts export gives'
    ELSE 'transaction without an amount' END
"""


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the text rows with amounts without currency signs and grouping."""
    styles = [NumberStyle.POINT] * text_rows.num_rows
    rows = with_plain_amounts(text_rows, ("gross", "processing_fee", "net_amount", "vat"), "money_code", styles)
    return with_plain_amounts(rows, ("shown_amount",), "shown_currency", styles)


def screen(raw: pa.Table) -> pa.Table:
    """Return the transactions delivered before; of one in several states, the paid one is kept."""
    changing = ("payout_state", "paid_on", "payout_number", "free_on")
    return rows_delivered_before(
        raw, "shopify_payout_transactions", ignoring=changing, waits="coalesce(payout_state <> 'paid', true)"
    )


MAPPING = MoneyEventSource(
    source="shopify_payout_transactions",
    platform="Shopify Payments",
    entries=_ENTRIES,
    kinds=("kind", "part", "direction"),
    silent_reason=_SILENT,
    screen=screen,
    prepare=prepare,
    days=WrittenDays(columns=("paid_on", "free_on")),
    happened="transacted_at",
).mapping()

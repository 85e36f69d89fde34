"""Map Shopify Payments transactions to ``money_event``: amount and fee of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import rows_delivered_before

if TYPE_CHECKING:
    import pyarrow as pa

_ENTRIES = """
SELECT raw.*, left(source_sha256, 16) || ':' || source_row AS identity, part, amount,
    CAST(NULL AS VARCHAR) AS event_type, CAST(transaction_type AS VARCHAR) AS kind,
    order_name AS order_id, transaction_type AS raw_type, money_code AS currency,
    paid_on || ':' || money_code AS statement_id,
    transacted_at AS event_at, CAST(transacted_at AS DATE) AS event_date, free_on AS available_on,
    CASE WHEN payout_state = 'paid' THEN paid_on END AS paid_out_on,
    CASE payout_state WHEN 'paid' THEN 'paid' WHEN 'pending' THEN 'deferred' ELSE 'released' END AS status
FROM raw, LATERAL (SELECT unnest(['amount', 'fee']) AS part, unnest([gross, -processing_fee]) AS amount)
WHERE amount <> 0 AND NOT starts_with(lower(transaction_type), 'payout')
"""

_SILENT = """
CASE WHEN starts_with(lower(transaction_type), 'payout') THEN 'payout, which the payouts export gives'
    ELSE 'transaction without an amount' END
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the transactions delivered before; of one in several states, the paid one is kept."""
    changing = ("payout_state", "paid_on", "payout_number", "free_on")
    return rows_delivered_before(
        raw, "shopify_payout_transactions", ignoring=changing, first="payout_state = 'paid' DESC, file_order"
    )


MAPPING = MoneyEventSource(
    source="shopify_payout_transactions",
    platform="Shopify Payments",
    entries=_ENTRIES,
    kinds=("kind", "part"),
    silent_reason=_SILENT,
    screen=screen,
    happened="transacted_at",
    partition_by="order_name",
).mapping()

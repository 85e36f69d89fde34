"""Map Stripe's itemised payout reconciliation to ``money_event``: entries, their fees, and one row for each payout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import repeated_keys

if TYPE_CHECKING:
    import pyarrow as pa

# An automatic payout is added to the first of its entries. Reports contain whole payouts, so the sum of the entries is
# correct. Manual payouts, and payouts that came back, are entries of their own.
_ENTRIES = """
WITH single AS (
    SELECT * REPLACE (CASE WHEN NOT starts_with(lower(category), 'payout') THEN payout_number END AS payout_number)
    FROM raw WHERE lower(category) <> 'payout' OR payout_number IS NULL
), paid AS (
    SELECT *, coalesce(paid_at_utc, paid_at) AS arrived_at, upper(money_code) AS code,
        CASE WHEN payout_number IS NOT NULL AND row_number() OVER payout = 1
            THEN -sum(net_amount) OVER (PARTITION BY delivered_for, account, payout_number, upper(money_code)) END
            AS payout_amount
    FROM single
    WINDOW payout AS (PARTITION BY delivered_for, account, payout_number, upper(money_code) ORDER BY row_order)
)
SELECT paid.* EXCLUDE (category), lower(category) AS category,
    CASE WHEN amount > 0 THEN 'in' ELSE 'out' END AS direction, entry_number AS identity, part, amount,
    CAST(NULL AS VARCHAR) AS event_type,
    CASE WHEN part <> 'payout' THEN source_number END AS order_id,
    CASE WHEN part <> 'payout' THEN category END AS raw_type, code AS currency, payout_number AS statement_id,
    CASE part WHEN 'payout' THEN arrived_at ELSE created_at END AS event_at,
    CAST(CASE part WHEN 'payout' THEN arrived_at ELSE created_at END AS DATE) AS event_date,
    CAST(free_at AS DATE) AS available_on,
    CAST(CASE WHEN payout_number IS NOT NULL THEN arrived_at WHEN lower(category) = 'payout' THEN created_at
        END AS DATE) AS paid_out_on,
    CASE WHEN payout_number IS NULL AND lower(category) <> 'payout' THEN 'released' ELSE 'paid' END AS status
FROM paid, LATERAL (
    SELECT unnest(['amount', 'fee', 'payout']) AS part, unnest([gross_amount, -fee_amount, payout_amount]) AS amount
)
WHERE amount <> 0 AND (part <> 'payout' OR arrived_at IS NOT NULL)
"""

_SILENT = """
CASE WHEN lower(category) = 'payout' AND payout_number IS NOT NULL THEN 'payout, which its entries sum to'
    ELSE 'entry without an amount' END
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the entries delivered before; of one delivered before and after its payout, the later one is kept."""
    return repeated_keys(raw, "entry_number", first="payout_number IS NULL, row_order")


MAPPING = MoneyEventSource(
    source="stripe_payout_reconciliation",
    platform="Stripe",
    entries=_ENTRIES,
    kinds=("category", "direction", "part"),
    silent_reason=_SILENT,
    screen=screen,
    happened="created_at",
    reaches_back_days=31,
).mapping()

"""Map Stripe's balance history to ``money_event``: each entry and its fee."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.days.written_days import WrittenDays
from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import repeated_keys

if TYPE_CHECKING:
    import pyarrow as pa

# An adjustment for a dispute names the dispute as its source: du_ or dp_.
_ENTRIES = """
SELECT raw.*, entry_number AS identity, part, amount, CAST(NULL AS VARCHAR) AS event_type,
    lower(entry_type) AS kind, coalesce(lower(split_part(source_number, '_', 1)), '') AS object,
    CASE WHEN amount > 0 THEN 'in' ELSE 'out' END AS direction,
    source_number AS order_id, entry_type AS raw_type, upper(money_code) AS currency,
    coalesce(payout_number, CASE WHEN lower(entry_type) = 'payout' THEN source_number END) AS statement_id,
    created_at AS event_at, CAST(created_at AS DATE) AS event_date, CAST(free_at AS DATE) AS available_on,
    CAST(CASE WHEN payout_number IS NOT NULL THEN paid_at WHEN lower(entry_type) = 'payout' THEN created_at
        END AS DATE) AS paid_out_on,
    CASE WHEN payout_number IS NULL AND lower(entry_type) <> 'payout' THEN 'released' ELSE 'paid' END AS status
FROM raw, LATERAL (SELECT unnest(['amount', 'fee']) AS part, unnest([gross_amount, -fee_amount]) AS amount)
WHERE amount <> 0
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the entries delivered before; of one delivered before and after its payout, the later one is kept."""
    return repeated_keys(raw, "entry_number", first="payout_number IS NULL, row_order")


MAPPING = MoneyEventSource(
    source="stripe_balance_history",
    platform="Stripe",
    entries=_ENTRIES,
    kinds=("kind", "object", "direction", "part"),
    silent_reason="'entry without an amount'",
    screen=screen,
    days=WrittenDays(("created_at", "free_at", "paid_at")),
    happened="created_at",
).mapping()

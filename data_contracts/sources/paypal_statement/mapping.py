"""Map PayPal's account statement to ``money_event``: the amount and the fee of each movement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.days.local_moments import with_moments
from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import repeated_keys
from data_contracts.mapping.running_balance import RunningBalance
from data_contracts.sources.paypal_activity.mapping import DAYS

if TYPE_CHECKING:
    import pyarrow as pa

# A hold and its release, or a payment and the deposit that funds it, may share a transaction number.
_ENTRIES = """
SELECT raw.*, concat_ws(':', transaction_number, money_code, left(md5(concat_ws('|', transaction_type, gross)), 8))
        AS identity,
    part, amount, CAST(NULL AS VARCHAR) AS event_type,
    CAST(transaction_type AS VARCHAR) AS kind, CASE WHEN gross > 0 THEN 'in' ELSE 'out' END AS direction,
    coalesce(invoice_number, reference_number) AS order_id, transaction_type AS raw_type, money_code AS currency,
    happened_at AS event_at, CAST(happened_at AS DATE) AS event_date, 'released' AS status
FROM raw, LATERAL (SELECT unnest(['amount', 'fee']) AS part, unnest([gross, fee]) AS amount)
WHERE amount <> 0
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the movements delivered before."""
    return repeated_keys(raw, "transaction_number, money_code, transaction_type, gross")


MAPPING = MoneyEventSource(
    source="paypal_statement",
    platform="PayPal",
    entries=_ENTRIES,
    kinds=("kind", "direction", "part"),
    silent_reason="'movement without an amount'",
    screen=screen,
    prepare=with_moments,
    days=DAYS,
    happened="happened_at",
    running_balance=RunningBalance("net_amount", "balance_after", "money_code", "happened_at"),
    rules_of="paypal_activity",
).mapping()

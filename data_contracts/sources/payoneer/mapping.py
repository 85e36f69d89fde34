"""Map Payoneer transactions to ``money_event``: fees, loans, own transfers, and the receiving side of payouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.days.local_moments import with_moments
from data_contracts.mapping.days.written_days import WrittenDays
from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import repeated_keys
from data_contracts.mapping.running_balance import RunningBalance
from data_contracts.reading.doubts import doubt

if TYPE_CHECKING:
    import pyarrow as pa

_ENTRIES = """
SELECT raw.*, transaction_number AS identity, 'amount' AS part,
    CASE WHEN regexp_matches(lower(note), 'payment (from|to)')
        AND NOT regexp_matches(lower(note), 'fee|charge|conversion|exchange|between balances|advance|capital')
        THEN 'other' END AS event_type,
    CASE WHEN coalesce(credited, 0) <> 0 THEN 'in' ELSE 'out' END AS direction,
    CASE WHEN coalesce(credited, 0) <> 0 THEN abs(credited) ELSE -abs(debited) END AS amount,
    note AS raw_type, further_note AS raw_subtype, money_code AS currency,
    happened_at AS event_at, CAST(happened_at AS DATE) AS event_date, 'released' AS status
FROM raw WHERE lower(trim(state)) = 'completed'
"""


_SILENT = f"""
CASE WHEN lower(trim(state)) IN ('pending', 'cancelled', 'canceled', 'failed', 'processing', 'declined', 'rejected',
        'expired', 'on hold', 'scheduled', 'in progress', 'returned') OR lower(trim(state)) = 'completed'
    THEN 'transaction not completed'
    ELSE '{doubt("status of unknown meaning, read as not completed: ")}' || state END
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the transactions delivered before; of one in several states, the completed one is kept."""
    return repeated_keys(
        raw, "transaction_number, money_code", first="lower(trim(state)) = 'completed' DESC, row_order"
    )


DAYS = WrittenDays(
    columns=("local_day",),
    time="local_time",
    zone="zone",
    credit="credited",
    debit="debited",
    balance="balance_after",
    currency="money_code",
)

MAPPING = MoneyEventSource(
    source="payoneer",
    platform="Payoneer",
    entries=_ENTRIES,
    kinds=("note", "direction"),
    silent_reason=_SILENT,
    screen=screen,
    prepare=with_moments,
    days=DAYS,
    running_balance=RunningBalance(
        "coalesce(abs(credited), 0) - coalesce(abs(debited), 0)",
        "balance_after",
        "money_code",
        "happened_at",
        "lower(trim(state)) = 'completed'",
    ),
    happened="happened_at",
).mapping()

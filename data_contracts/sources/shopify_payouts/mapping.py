"""Map Shopify Payments payouts to ``money_event``: the payout, and what the transactions export does not show."""

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
    CASE WHEN part = 'reserve' AND amount < 0 THEN 'reserve_hold' WHEN part = 'reserve' THEN 'reserve_release'
        WHEN part = 'advances' AND amount > 0 THEN 'advance' WHEN part = 'advances' THEN 'advance_repayment'
        WHEN part = 'retried' THEN 'other' END AS event_type,
    payout_state AS raw_type, part AS raw_subtype, money_code AS currency,
    paid_on || ':' || money_code AS statement_id,
    CAST(NULL AS TIMESTAMPTZ) AS event_at, paid_on AS event_date, paid_on AS paid_out_on,
    CASE WHEN part = 'reserve' AND amount < 0 THEN 'reserved' WHEN part = 'reserve' THEN 'released' ELSE 'paid' END
        AS status
FROM raw, LATERAL (
    SELECT unnest(['payout', 'tax', 'advances', 'reserve', 'retried', 'rest']) AS part,
        unnest([-payout_total, marketplace_tax, advances, reserved, retried, payout_total - coalesce(charges, 0)
            - coalesce(refunds, 0) - coalesce(adjustments, 0) - coalesce(marketplace_tax, 0) - coalesce(advances, 0)
            - coalesce(reserved, 0) - coalesce(fees, 0) - coalesce(retried, 0)]) AS amount
)
WHERE payout_state = 'paid' AND (amount <> 0 OR (part = 'payout' AND amount = 0))
"""


_AMOUNTS = (
    *("charges", "refunds", "adjustments", "marketplace_tax", "advances", "reserved", "fees", "retried"),
    "payout_total",
)


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the text rows with amounts without currency signs and grouping."""
    return with_plain_amounts(text_rows, _AMOUNTS, "money_code", [NumberStyle.POINT] * text_rows.num_rows)


def screen(raw: pa.Table) -> pa.Table:
    """Return the payouts delivered before; of one in several states, the paid one is kept."""
    return rows_delivered_before(
        raw,
        "shopify_payouts",
        ignoring=("payout_state", "bank_reference"),
        waits="coalesce(payout_state <> 'paid', true)",
    )


MAPPING = MoneyEventSource(
    source="shopify_payouts",
    platform="Shopify Payments",
    entries=_ENTRIES,
    kinds=("part",),
    silent_reason="'payout not paid'",
    screen=screen,
    prepare=prepare,
    days=WrittenDays(columns=("paid_on",)),
    happened="paid_on",
).mapping()

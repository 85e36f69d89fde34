"""Map Mercado Pago settlement reports to ``money_event``: amount, fees and taxes of each transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import rows_delivered_before
from data_contracts.values.money_text import with_plain_amounts

if TYPE_CHECKING:
    import pyarrow as pa

_AMOUNTS = ("gross_amount", "fee", "financing_fee", "shipping_fee", "taxes", "coupon", "net_amount", "seller_amount")

_ENTRIES = """
SELECT raw.*, left(source_sha256, 16) || ':' || source_row AS identity, part, amount,
    CAST(NULL AS VARCHAR) AS event_type, CAST(transaction_type AS VARCHAR) AS kind,
    CASE WHEN amount > 0 THEN 'in' ELSE 'out' END AS direction,
    CASE WHEN part <> 'rest' THEN coalesce(order_number, source_number) END AS order_id,
    transaction_type AS raw_type, part AS raw_subtype, money_code AS currency, site AS marketplace,
    transacted_at AS event_at, CAST(transacted_at AS DATE) AS event_date, CAST(settled_at AS DATE) AS available_on,
    CASE WHEN upper(transaction_type) IN ('WITHDRAWAL', 'PAYOUT') THEN CAST(transacted_at AS DATE) END AS paid_out_on,
    CASE WHEN upper(transaction_type) IN ('WITHDRAWAL', 'PAYOUT') THEN 'paid' ELSE 'released' END AS status
FROM raw, LATERAL (
    SELECT unnest(['amount', 'fee', 'financing', 'shipping', 'taxes', 'coupon', 'rest']) AS part,
        unnest([gross_amount, fee, financing_fee, shipping_fee, taxes, coupon, net_amount - gross_amount
            - coalesce(fee, 0) - coalesce(financing_fee, 0) - coalesce(shipping_fee, 0) - coalesce(taxes, 0)
            - coalesce(coupon, 0)]) AS amount
)
WHERE amount <> 0
"""


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the text rows with plain amounts."""
    return with_plain_amounts(text_rows, _AMOUNTS, "money_code")


def screen(raw: pa.Table) -> pa.Table:
    """Return the transactions delivered before; of one delivered before and after its settlement, the settled one."""
    return rows_delivered_before(raw, "mercado_settlement", ignoring=("settled_at",), waits="settled_at IS NULL")


MAPPING = MoneyEventSource(
    source="mercado_settlement",
    platform="Mercado Libre",
    entries=_ENTRIES,
    kinds=("kind", "part", "direction"),
    silent_reason="'transaction without an amount'",
    screen=screen,
    prepare=prepare,
    happened="transacted_at",
).mapping()

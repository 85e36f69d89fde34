"""Map AliExpress loan records to ``money_event``: price, fees and refund of each child order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import repeated_keys

if TYPE_CHECKING:
    import pyarrow as pa

# The released amount is the price less fees, so the fees are added back. Before release only the amount due is known.
_ENTRIES = """
SELECT child.* EXCLUDE (is_free), order_number || ':' || child_number AS identity, part, amount,
    CAST(NULL AS VARCHAR) AS event_type, order_number AS order_id, loan_state AS raw_type,
    waiting_for AS raw_subtype, money_code AS currency, released_at AS event_at,
    coalesce(CAST(released_at AS DATE), covered_to) AS event_date, CAST(released_at AS DATE) AS available_on,
    CASE WHEN is_free THEN 'released' ELSE 'deferred' END AS status
FROM (
    SELECT *, lower(loan_state) LIKE '%ok' AND released IS NOT NULL AS is_free FROM raw WHERE child_number IS NOT NULL
) AS child, LATERAL (
    SELECT unnest(['goods', 'escrow_fee', 'affiliate_fee', 'refund']) AS part, unnest([
        CASE WHEN is_free THEN released + abs(coalesce(escrow_fee, 0)) + abs(coalesce(affiliate_fee, 0)) ELSE due END,
        CASE WHEN is_free THEN -abs(escrow_fee) END,
        CASE WHEN is_free THEN -abs(affiliate_fee) END,
        -abs(refunded)
    ]) AS amount
)
WHERE amount <> 0
"""

_SILENT = "CASE WHEN child_number IS NULL THEN 'order as such' ELSE 'child order without an amount' END"


def screen(raw: pa.Table) -> pa.Table:
    """Return the child orders delivered before; of one delivered in several states, the released one is kept."""
    return repeated_keys(raw, "order_number, child_number", first="lower(loan_state) LIKE '%ok' DESC, row_order")


MAPPING = MoneyEventSource(
    source="aliexpress_loan",
    platform="AliExpress",
    entries=_ENTRIES,
    kinds=("part",),
    silent_reason=_SILENT,
    screen=screen,
    happened="released_at",
).mapping()

"""Map AliExpress loan records to ``money_event``: price, fees and refund of each child order."""

from __future__ import annotations

import pyarrow as pa

from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import repeated_keys
from data_contracts.mapping.source_mapping import run_sql

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


_WITHOUT_CHILDREN = """
SELECT row_order, 'no child order with a number, so the amounts are not known' AS reason,
    'order_has_children' AS rule_id
FROM raw QUALIFY count(child_number) OVER (PARTITION BY file_order, order_number) = 0 ORDER BY row_order
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the child orders delivered before, and orders without children.

    Of a child order delivered in several states, the released one is kept.
    """
    again = repeated_keys(raw, "order_number, child_number", first="lower(loan_state) LIKE '%ok' DESC, row_order")
    return pa.concat_tables([again, run_sql(_WITHOUT_CHILDREN, raw=raw).cast(again.schema)])


MAPPING = MoneyEventSource(
    source="aliexpress_loan",
    platform="AliExpress",
    entries=_ENTRIES,
    kinds=("part",),
    silent_reason=_SILENT,
    screen=screen,
    happened="released_at",
).mapping()

"""Map SHEIN's workbooks of paid bills to ``money_event``: one row for each goods line."""

from __future__ import annotations

import functools

from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import rows_delivered_before
from data_contracts.values.money_text import with_plain_amounts

_ENTRIES = """
SELECT raw.*, left(source_sha256, 16) || ':' || source_row AS identity, 'amount' AS part,
    CASE WHEN contains(bill_kind, '退款') THEN -abs(receivable) ELSE receivable END AS amount,
    CAST(NULL AS VARCHAR) AS event_type, CAST(bill_kind AS VARCHAR) AS kind,
    CASE WHEN receivable > 0 THEN 'in' ELSE 'out' END AS direction, order_number AS order_id, bill_kind AS raw_type,
    money_code AS currency, site AS marketplace, CAST(NULL AS TIMESTAMPTZ) AS event_at, paid_on AS event_date,
    paid_on AS available_on, 'released' AS status
FROM raw WHERE receivable <> 0
"""


MAPPING = MoneyEventSource(
    source="shein_paid_bills",
    platform="SHEIN",
    entries=_ENTRIES,
    kinds=("kind", "direction"),
    silent_reason="'row without an amount'",
    screen=functools.partial(rows_delivered_before, source="shein_paid_bills"),
    # A currency before an amount must be that of the row.
    prepare=functools.partial(with_plain_amounts, columns=("receivable",), currency="money_code"),
    happened="paid_on",
).mapping()

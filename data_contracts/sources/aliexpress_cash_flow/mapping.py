"""Map AliExpress's cash flow to ``money_event``: one row for each movement."""

from __future__ import annotations

import functools

from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import rows_delivered_before
from data_contracts.values.money_text import with_plain_amounts

_ENTRIES = """
SELECT raw.*, left(source_sha256, 16) || ':' || source_row AS identity, 'amount' AS part,
    CASE WHEN goes_out THEN -abs(changed_amount) ELSE changed_amount END AS amount,
    CAST(NULL AS VARCHAR) AS event_type, concat_ws(' ', flow_kind, fee_name) AS kind,
    CASE WHEN goes_out OR changed_amount < 0 THEN 'out' ELSE 'in' END AS direction,
    order_number AS order_id, flow_kind AS raw_type, fee_name AS raw_subtype, money_code AS currency,
    settled_at AS event_at, CAST(settled_at AS DATE) AS event_date,
    CASE WHEN regexp_matches(flow_kind, '提现|出金') THEN CAST(settled_at AS DATE) END AS paid_out_on,
    CASE WHEN regexp_matches(flow_kind, '提现|出金') THEN 'paid' ELSE 'released' END AS status
FROM (SELECT *, regexp_matches(flow_kind, '退款|提现|出金|支出') AS goes_out FROM raw) AS raw WHERE changed_amount <> 0
"""


MAPPING = MoneyEventSource(
    source="aliexpress_cash_flow",
    platform="AliExpress",
    entries=_ENTRIES,
    kinds=("kind", "direction"),
    silent_reason="'row without an amount'",
    screen=functools.partial(rows_delivered_before, source="aliexpress_cash_flow"),
    # A currency before an amount must be that of the row.
    prepare=functools.partial(with_plain_amounts, columns=("changed_amount",), currency="money_code"),
    happened="settled_at",
).mapping()

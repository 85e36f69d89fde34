"""Map Temu settlement workbooks to ``money_event``, one row for each amount.

The workbook shows amounts without direction; sheet and kind decide whether an amount is in the seller's favour. It does
not show payouts either; withdrawals are in the account ledger (``temu_ledger``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.event_types import event_type_rules, money_events, unknown_kinds
from data_contracts.mapping.repetition import repeated_or, rows_delivered_before
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, run_sql

if TYPE_CHECKING:
    import pyarrow as pa

_KINDS = """
SELECT *, CAST(sheet_name AS VARCHAR) AS sheet, coalesce(CAST(transaction_type AS VARCHAR), '') AS kind,
    min(money_code) OVER (PARTITION BY file_order) AS lowest_code,
    max(money_code) OVER (PARTITION BY file_order) AS highest_code
FROM raw
"""

_EVENTS = """
SELECT
    'temu:' || coalesce(account, delivered_for) || ':' || left(source_sha256, 16) || ':' || source_row AS event_id,
    delivered_for AS seller_id,
    'Temu' AS platform,
    account AS store_id,
    coalesce(sales_order, buyer_order, after_sales_order, violation) AS order_id,
    coalesce(seller_unit, stock_unit) AS sku,
    CASE WHEN event_type = 'refund' THEN -abs(pieces) WHEN event_type = 'sale' THEN pieces END AS quantity,
    event_type,
    sheet AS raw_type,
    transaction_type AS raw_subtype,
    CASE
        WHEN event_type IN ('refund', 'penalty') THEN -abs(booked_amount)
        WHEN event_type = 'sale' OR sheet = '结算-非商责平台售后补贴金额' THEN abs(booked_amount)
        ELSE booked_amount
    END AS amount,
    coalesce(money_code, lowest_code) AS currency,
    booked_at AS event_at,
    'released' AS status,
    coalesce(CAST(booked_at AS DATE), covered_to) AS event_date,
    coalesce(booked_at, CAST(covered_to AS TIMESTAMPTZ)) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM raw JOIN event_types USING (sheet, kind)
ORDER BY row_order
"""

_NO_CURRENCY = """
SELECT row_order, 'no currency stated, and the file has none or several' AS reason, 'money_code:known' AS rule_id
FROM raw WHERE money_code IS NULL AND (lowest_code IS NULL OR lowest_code <> highest_code)
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the rows delivered before, and those without a currency of their own or of their file."""
    repeated = rows_delivered_before(raw, "temu_settlement")
    unclear = run_sql(_NO_CURRENCY, raw=run_sql(_KINDS, raw=raw))
    return repeated_or(repeated, unclear)


def remarks(raw: pa.Table) -> pa.Table:
    """Return the amounts whose kind matches no rule; they count as ``other``."""
    return unknown_kinds(run_sql(_KINDS, raw=raw), ("sheet", "kind"), event_type_rules(__package__))


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``money_event``, one row for each amount."""
    return money_events(run_sql(_KINDS, raw=raw), ("sheet", "kind"), __package__, _EVENTS, context)


MAPPING = SourceMapping(
    source="temu_settlement",
    covered_tables=("money_event",),
    to_canonical=to_canonical,
    happened="booked_at",
    screen=screen,
    remarks=remarks,
)

"""Map Temu's account ledger to ``money_event``: withdrawals and charges that no settlement workbook contains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.event_types import event_type_rules, money_events, unknown_kinds
from data_contracts.mapping.repetition import rows_delivered_before
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, run_sql

if TYPE_CHECKING:
    import pyarrow as pa

_KINDS = """
SELECT * REPLACE (coalesce(note, '') AS note), CAST(entry_kind AS VARCHAR) AS kind,
    regexp_matches(coalesce(note, ''), '交易结算|消费者及履约保障|消费者退款|非商责平台售后补贴') AS detailed_elsewhere
FROM raw
"""

_EVENTS = """
SELECT
    'temu:' || coalesce(account, delivered_for) || ':' || left(source_sha256, 16) || ':' || source_row AS event_id,
    delivered_for AS seller_id,
    'Temu' AS platform,
    account AS store_id,
    event_type,
    kind AS raw_type,
    nullif(note, '') AS raw_subtype,
    CASE
        WHEN kind LIKE '%支出%' OR event_type = 'payout' THEN -abs(booked_amount)
        WHEN kind LIKE '%收入%' THEN abs(booked_amount)
        ELSE booked_amount
    END AS amount,
    money_code AS currency,
    booked_at AS event_at,
    CASE event_type WHEN 'payout' THEN CAST(booked_at AS DATE) END AS paid_out_on,
    CASE event_type WHEN 'payout' THEN 'paid' ELSE 'released' END AS status,
    CAST(booked_at AS DATE) AS event_date,
    booked_at + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM raw JOIN event_types USING (kind, note)
WHERE NOT detailed_elsewhere
ORDER BY row_order
"""

_SILENT = """
SELECT row_order, 'amount that the settlement workbook details' AS reason FROM raw WHERE detailed_elsewhere
ORDER BY row_order
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the movements delivered before."""
    return rows_delivered_before(raw, "temu_ledger")


def silent(raw: pa.Table) -> pa.Table:
    """Return the movements that the settlement workbook contains in detail; they would count twice."""
    return run_sql(_SILENT, raw=run_sql(_KINDS, raw=raw))


def remarks(raw: pa.Table) -> pa.Table:
    """Return the movements whose kind matches no rule; they count as ``other``."""
    others = run_sql("SELECT * FROM raw WHERE NOT detailed_elsewhere", raw=run_sql(_KINDS, raw=raw))
    return unknown_kinds(others, ("kind", "note"), event_type_rules(__package__))


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``money_event``, one row for each movement that no other export contains in detail."""
    return money_events(run_sql(_KINDS, raw=raw), ("kind", "note"), __package__, _EVENTS, context)


MAPPING = SourceMapping(
    source="temu_ledger",
    covered_tables=("money_event",),
    to_canonical=to_canonical,
    happened="booked_at",
    screen=screen,
    remarks=remarks,
    silent=silent,
)

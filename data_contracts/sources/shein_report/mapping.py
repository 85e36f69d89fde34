"""Map SHEIN reports to ``money_event``: one row for each detail, and one payout for each settled report.

A settled report sums to zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.event_types import event_type_rules, event_types, money_event_table, unknown_kinds
from data_contracts.mapping.repetition import superseded_records
from data_contracts.mapping.source_mapping import (
    MappingContext,
    SourceMapping,
    Tables,
    relabelled,
    run_sql,
)

if TYPE_CHECKING:
    import pyarrow as pa

_SIGNED = "CASE WHEN flow = '2' OR adjustment_kind = '1' THEN -detail_amount ELSE detail_amount END"
_BROKEN = f"coalesce(sum({_SIGNED}), 0) <> coalesce(sum(reported_total), 0) OR count(reported_total) = 0"

_KINDS = """
SELECT *, CASE adjustment_kind WHEN '1' THEN 'deduction' WHEN '2' THEN 'top-up' ELSE '' END AS kind,
    coalesce(adjustment_category, '') AS category
FROM raw
"""

_EVENTS = f"""
WITH currencies AS (
    SELECT delivered_for, report_number, min(coalesce(detail_currency, report_currency)) AS currency
    FROM raw GROUP BY delivered_for, report_number
), amounts AS (
    SELECT *, reported_total IS NOT NULL AS is_payout,
        CASE WHEN reported_total IS NOT NULL THEN completed_at ELSE booked_at END AS happened
    FROM raw LEFT JOIN event_types USING (kind, category)
    WHERE reported_total IS NULL OR settlement_state = 'paid'
)
SELECT
    'shein:' || coalesce(account, delivered_for) || ':' || report_number || ':' || source_item AS event_id,
    delivered_for AS seller_id,
    'SHEIN' AS platform,
    account AS store_id,
    report_number AS statement_id,
    business_order AS order_id,
    stock_unit AS sku,
    CASE WHEN flow = '2' THEN -pieces WHEN flow = '1' THEN pieces END AS quantity,
    CASE WHEN is_payout THEN 'payout' WHEN flow = '1' THEN 'sale' WHEN flow = '2' THEN 'refund' ELSE event_type END
        AS event_type,
    CASE WHEN is_payout THEN settlement_state_name
        ELSE coalesce(order_kind_name, order_kind, adjustment_kind_name, kind) END AS raw_type,
    coalesce(flow_name, adjustment_category) AS raw_subtype,
    CASE WHEN is_payout THEN -reported_total ELSE {_SIGNED} END AS amount,
    currency,
    happened AS event_at,
    CAST(expected_at AS DATE) AS available_on,
    CASE WHEN settlement_state = 'paid' THEN CAST(completed_at AS DATE) END AS paid_out_on,
    settlement_state AS status,
    CAST(happened AS DATE) AS event_date,
    greatest(happened, reported_at) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM amounts JOIN currencies USING (delivered_for, report_number)
ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module

_NOT_SETTLED = """
SELECT row_order, 'report not settled yet, so without a payout' AS reason
FROM raw WHERE reported_total IS NOT NULL AND settlement_state <> '3'
ORDER BY row_order
"""

_ADJUSTMENTS = "SELECT row_order, kind, category FROM raw WHERE adjustment_kind IS NOT NULL"


def screen(raw: pa.Table) -> pa.Table:
    """Return the rows of reports that were delivered again in a later state."""
    return superseded_records(raw, "report_number", "updated_at", _BROKEN, "repeated report")


def silent(raw: pa.Table) -> pa.Table:
    """Return the report rows of reports that have not been paid yet."""
    return run_sql(_NOT_SETTLED, raw=raw)


def remarks(raw: pa.Table) -> pa.Table:
    """Return the adjustments whose category matches no rule; they count as ``other``."""
    adjustments = run_sql(_ADJUSTMENTS, raw=run_sql(_KINDS, raw=raw))
    return unknown_kinds(adjustments, ("kind", "category"), event_type_rules(__package__))


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``money_event``: one row for each detail, and one payout for each settled report."""
    with_kinds = run_sql(_KINDS, raw=relabelled(raw, context.contract))
    adjustments = run_sql(_ADJUSTMENTS, raw=with_kinds)
    types = event_types(adjustments, ("kind", "category"), event_type_rules(__package__))
    mapped = run_sql(_EVENTS, context.parameters, raw=with_kinds, event_types=types)
    return money_event_table(mapped, context)


MAPPING = SourceMapping(
    source="shein_report",
    covered_tables=("money_event",),
    to_canonical=to_canonical,
    happened="booked_at",
    reaches_back_days=31,
    screen=screen,
    remarks=remarks,
    silent=silent,
)

"""Map Amazon's inventory planning report to ``inventory_snapshot``, one row for each product and day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.source_mapping import SourceMapping, query_mapping, run_sql

if TYPE_CHECKING:
    import pyarrow as pa

_COUNT = "delivered_for, account, counted_on, stock_unit, condition, market"

# Two accounts may count one product on one day, but not with the same pieces, arrivals and sales.
_PIECES = "counted_on, stock_unit, condition, market, available, reserved, unsellable, inbound, sold_30_days"

_REPEATED = f"""
SELECT row_order, 'repeated count' AS reason, CAST(NULL AS VARCHAR) AS rule_id
FROM (
    SELECT *, row_number() OVER (PARTITION BY {_COUNT} ORDER BY row_order) AS copy,
        first_value(coalesce(account, '')) OVER (PARTITION BY delivered_for, {_PIECES} ORDER BY row_order) AS counted_by
    FROM raw
)
WHERE (copy > 1 OR (coalesce(account, '') <> counted_by AND available > 0))
    AND counted_on IS NOT NULL AND stock_unit IS NOT NULL
ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module

_SNAPSHOTS = """
SELECT
    concat_ws(':', 'amazon', delivered_for, coalesce(account, ''), counted_on, coalesce(market, ''),
        coalesce(condition, ''), stock_unit) AS inventory_snapshot_id,
    delivered_for AS seller_id,
    concat_ws(':', stock_unit, condition) AS sku_group,
    concat_ws(':', 'amazon', account, market) AS warehouse_id,
    'platform' AS warehouse_kind,
    CASE WHEN regexp_full_match(market, '[A-Z]{2}') THEN CASE market WHEN 'UK' THEN 'GB' ELSE market END END
        AS country,
    true AS is_platform_bound,
    available + coalesce(reserved, 0) + coalesce(unsellable, 0) AS on_hand_quantity,
    reserved AS reserved_quantity,
    unsellable AS unsellable_quantity,
    inbound AS inbound_quantity,
    coalesce(aged_0_90, aged_0_30 + aged_31_60 + aged_61_90) AS aged_0_90_days_quantity,
    aged_91_180 AS aged_91_180_days_quantity,
    aged_181_270 AS aged_181_270_days_quantity,
    aged_271_365 AS aged_271_365_days_quantity,
    coalesce(aged_over_365, aged_366_455 + aged_over_455) AS aged_over_365_days_quantity,
    sold_30_days AS sold_30d_quantity,
    1 AS sku_count,
    CASE WHEN available = 0 THEN 1 ELSE 0 END AS stocked_out_sku_count,
    money_code AS currency,
    counted_on AS event_date,
    CAST(counted_on AS TIMESTAMPTZ) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM raw
ORDER BY row_order
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the counts delivered before."""
    return run_sql(_REPEATED, raw=raw)


MAPPING = SourceMapping(
    source="amazon_inventory_planning",
    covered_tables=("inventory_snapshot",),
    to_canonical=query_mapping(_SNAPSHOTS, "inventory_snapshot"),
    happened="counted_on",
    screen=screen,
)

"""Map the stock list of an overseas warehouse to ``inventory_snapshot``, one row for each article, site and day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.repetition import repeated_rows
from data_contracts.mapping.source_mapping import SourceMapping, query_mapping

if TYPE_CHECKING:
    import pyarrow as pa

_SNAPSHOTS = """
SELECT
    concat_ws(':', 'overseas', delivered_for, site, counted_on, article) AS inventory_snapshot_id,
    delivered_for AS seller_id,
    article AS sku_group,
    site AS warehouse_id,
    'overseas' AS warehouse_kind,
    left(site, 2) AS country,
    false AS is_platform_bound,
    pieces AS on_hand_quantity,
    pieces_reserved AS reserved_quantity,
    1 AS sku_count,
    CASE WHEN pieces = 0 THEN 1 ELSE 0 END AS stocked_out_sku_count,
    value_at_cost AS stock_value,
    money_code AS currency,
    counted_on AS event_date,
    CAST(counted_on AS TIMESTAMPTZ) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM raw
ORDER BY row_order
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the counts that repeat their last delivery."""
    return repeated_rows(raw, "overseas_stock", "repeated count", "site, counted_on, article")


MAPPING = SourceMapping(
    source="overseas_stock",
    covered_tables=("inventory_snapshot",),
    to_canonical=query_mapping(_SNAPSHOTS, "inventory_snapshot", {"stock_value_usd": "stock_value"}),
    happened="counted_on",
    screen=screen,
)

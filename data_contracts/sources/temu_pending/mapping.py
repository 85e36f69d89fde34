"""Map Temu's estimates of pending settlements to ``money_event``, one row for each estimate.

An estimate is not a sale. The sale is in the settlement workbook once it is settled, and would count twice. An estimate
therefore has the type ``other`` and the status ``estimated``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.repetition import rows_delivered_before
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, canonical_table, run_sql

if TYPE_CHECKING:
    import pyarrow as pa

_EVENTS = """
SELECT
    'temu:' || coalesce(account, delivered_for) || ':' || left(source_sha256, 16) || ':' || source_row AS event_id,
    delivered_for AS seller_id,
    'Temu' AS platform,
    account AS store_id,
    stocking_order AS order_id,
    coalesce(seller_unit, stock_unit) AS sku,
    pieces AS quantity,
    'other' AS event_type,
    '预估待结算销售额' AS raw_type,
    expected_amount AS amount,
    money_code AS currency,
    'estimated' AS status,
    covered_to AS event_date,
    CAST(covered_to AS TIMESTAMPTZ) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM raw
ORDER BY row_order
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the rows of a snapshot delivered again; the same row in a later snapshot is still pending."""
    return rows_delivered_before(raw, "temu_pending", besides="covered_to")


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``money_event``, one row for each estimate."""
    mapped = run_sql(_EVENTS, {"known_lag_days": context.known_lag_days}, raw=raw)
    return {"money_event": canonical_table("money_event", mapped, context, {"amount_usd": "amount"})}


MAPPING = SourceMapping(
    source="temu_pending", covered_tables=("money_event",), to_canonical=to_canonical, screen=screen
)

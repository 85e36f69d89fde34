"""Map Temu's estimates of pending settlements to ``money_event``, one row for each estimate.

An estimate is not a sale. The sale is in the settlement workbook once it is settled, and would count twice. An estimate
therefore has the type ``other`` and the status ``estimated``.
"""

from __future__ import annotations

import functools

from data_contracts.mapping.repetition import rows_delivered_before
from data_contracts.mapping.source_mapping import SourceMapping, query_mapping

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


MAPPING = SourceMapping(
    source="temu_pending",
    covered_tables=("money_event",),
    to_canonical=query_mapping(_EVENTS, "money_event", {"amount_usd": "amount"}),
    screen=functools.partial(rows_delivered_before, source="temu_pending", besides="covered_to"),
)

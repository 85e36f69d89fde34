"""Map Shopee income reports to ``money_event``: price, shipping and fees of each order, and what remains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_contracts.arrow import with_column
from data_contracts.mapping.days.written_days import WrittenDays
from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import repeated_or, rows_delivered_before
from data_contracts.mapping.source_mapping import run_sql
from data_contracts.values.money_text import with_plain_amounts

if TYPE_CHECKING:
    from collections.abc import Mapping

_CURRENCIES: Mapping[str, str] = {"en-MY": "MYR", "en-SG": "SGD", "en-PH": "PHP", "id-ID": "IDR", "th-TH": "THB"}
_COSTS = ("carrier_shipping", "return_shipping", "commission", "service_fee", "processing_fee", "transaction_fee")
_AMOUNTS = (
    "released_amount",
    "goods_price",
    "product_discount",
    "refunded",
    "buyer_shipping",
    "shipping_rebate",
    *_COSTS,
)

# Costs and refunds are negative whatever their sign in the file; a reversed cost would be part of the remainder.
_ENTRIES = f"""
WITH orders AS (
    SELECT *, -abs(refunded) AS given_back, -abs(product_discount) AS reduced,
        {", ".join(f"-abs({name}) AS cost_{name}" for name in _COSTS)}
    FROM raw WHERE view IS NULL OR lower(view) = 'order'
), closed AS (
    SELECT *, released_amount - coalesce(goods_price, 0) - coalesce(reduced, 0) - coalesce(given_back, 0)
        - coalesce(buyer_shipping, 0) - coalesce(shipping_rebate, 0)
        - {" - ".join(f"coalesce(cost_{name}, 0)" for name in _COSTS)} AS rest
    FROM orders
)
SELECT closed.*, left(source_sha256, 16) || ':' || source_row AS identity, part, amount,
    CAST(NULL AS VARCHAR) AS event_type, CASE WHEN amount > 0 THEN 'in' ELSE 'out' END AS direction,
    order_number AS order_id, coalesce(order_kind, 'order') AS raw_type, part AS raw_subtype, money_code AS currency,
    CAST(NULL AS TIMESTAMPTZ) AS event_at, released_on AS event_date, released_on AS available_on,
    'released' AS status
FROM closed, LATERAL (
    SELECT unnest(['goods', 'discount', 'refund', 'shipping', 'rebate', {", ".join(f"'{name}'" for name in _COSTS)},
            CASE WHEN goods_price IS NULL THEN 'price not known' ELSE 'rest' END]) AS part,
        unnest([goods_price, reduced, given_back, buyer_shipping, shipping_rebate,
            {", ".join(f"cost_{name}" for name in _COSTS)}, rest]) AS amount
)
WHERE amount <> 0
"""  # noqa: S608 - put together from constants of this module

_UNCLEAR = """
SELECT row_order, 'neither a column nor the header of the released amount states the currency' AS reason,
    'money_code:known' AS rule_id
FROM raw WHERE money_code IS NULL
UNION ALL SELECT row_order, 'the order has several rows, and no column says which of them is the whole order',
    'view:known'
FROM (SELECT row_order, money_code, count(view) OVER (PARTITION BY file_order) AS views,
    count(*) OVER (PARTITION BY file_order, order_number) AS copies FROM raw)
WHERE money_code IS NOT NULL AND views = 0 AND copies > 1
"""


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the text rows with the currency of their header, and with plain amounts."""
    given: list[Any] = text_rows["money_code"].to_pylist()
    languages: list[Any] = text_rows["report_language"].to_pylist()
    codes = [code or _CURRENCIES.get(language, "") for code, language in zip(given, languages, strict=True)]
    rows = with_column(text_rows, "money_code", pa.array(codes, pa.string()))
    return with_plain_amounts(rows, _AMOUNTS, "money_code")


def screen(raw: pa.Table) -> pa.Table:
    """Return the rows delivered before, and those whose currency or place in an order is not known."""
    repeated = rows_delivered_before(raw, "shopee_income")
    return repeated_or(repeated, run_sql(_UNCLEAR, raw=raw))


MAPPING = MoneyEventSource(
    source="shopee_income",
    platform="Shopee",
    entries=_ENTRIES,
    kinds=("part", "direction"),
    silent_reason="CASE WHEN lower(view) <> 'order' THEN 'item of an order' ELSE 'order without an amount' END",
    screen=screen,
    prepare=prepare,
    days=WrittenDays(columns=("ordered_on", "released_on")),
    happened="released_on",
).mapping()

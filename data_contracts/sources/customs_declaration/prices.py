"""Doubts about the values of declared goods: none at all, or far from those of the same goods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from data_contracts.mapping.source_mapping import run_sql
from data_contracts.reading.doubts import doubt

if TYPE_CHECKING:
    import pyarrow as pa

# Goods of one tariff code differ in size and quality; a mistaken unit or two zeros too many are a larger factor. Ours.
FAR_FACTOR: Final = 20
FEWEST_PEERS: Final = 5

_DOUBTS: Final = f"""
WITH valued AS (
    SELECT row_order, declared_total,
        CAST(declared_total AS DOUBLE) / nullif(CAST(traded_quantity AS DOUBLE), 0) AS unit_value,
        count(nullif(unit_value, 0)) OVER peers AS known, median(nullif(unit_value, 0)) OVER peers AS usual
    FROM raw WINDOW peers AS (PARTITION BY delivered_for, tariff_code, traded_unit, money_code)
)
SELECT row_order, CASE WHEN declared_total = 0 THEN '{doubt("an item has no value")}'
    ELSE '{doubt(f"the unit value of an item is more than {FAR_FACTOR} times off that of the same goods")}'
    END AS reason
FROM valued
WHERE declared_total = 0 OR (known >= {FEWEST_PEERS}
    AND (unit_value > {FAR_FACTOR} * usual OR unit_value < usual / {FAR_FACTOR}))
ORDER BY row_order
"""  # noqa: S608 - constants of this module


def price_doubts(raw: pa.Table) -> pa.Table:
    """Return, as remarks, the items without a value, or with one far from the median of the seller's same goods.

    The same goods have one tariff code, unit and currency. Fewer than five of them tell nothing.
    """
    return run_sql(_DOUBTS, raw=raw)

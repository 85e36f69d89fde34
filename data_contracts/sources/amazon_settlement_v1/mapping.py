"""Map Amazon settlements of form V1 to ``money_event``.

Each kind of amount has a column of its own, most with a column for its type. They become the amount types and
descriptions of form V2, so that both forms share one list of event types. If a row belongs to no order, its transaction
type says what the amount is.
"""

from __future__ import annotations

from data_contracts.mapping.amazon.settlements import SettlementForm

# Amount column: the amount type of form V2, and the column that describes the amount.
_PARTS = {
    "shipment_fee_amount": ("ShipmentFees", "shipment_fee_type"),
    "order_fee_amount": ("OrderFees", "order_fee_type"),
    "price_amount": ("ItemPrice", "price_type"),
    "item_fee_amount": ("ItemFees", "item_fee_type"),
    "misc_fee_amount": ("misc-fee", None),
    "other_fee_amount": ("other-fee", "other_fee_reason"),
    "promotion_amount": ("Promotion", "promotion_type"),
    "direct_payment_amount": ("direct-payment", "direct_payment_type"),
    "other_amount": ("other-transaction", None),
}
_ONE_PART = """
SELECT row_order, '{part}' AS part, coalesce(CAST(transaction_type AS VARCHAR), '') AS transaction_type,
    '{amount_type}' AS amount_type, coalesce({described}CAST(transaction_type AS VARCHAR), '') AS amount_description,
    {part} AS signed_amount
FROM raw WHERE {part} <> 0
"""


def _one_part(part: str, amount_type: str, description: str | None) -> str:
    described = "" if description is None else f"nullif(CAST({description} AS VARCHAR), ''), "
    return _ONE_PART.format(part=part, amount_type=amount_type, described=described)


_AMOUNTS = " UNION ALL ".join(_one_part(part, *kind) for part, kind in _PARTS.items()) + " ORDER BY row_order, part"
_SILENT = """
SELECT row_order, 'row without an amount' AS reason
FROM raw ANTI JOIN amounts USING (row_order) WHERE settled_total IS NULL ORDER BY row_order
"""

MAPPING = SettlementForm(
    source="amazon_settlement_v1",
    prefix="amazon-v1",
    amounts=_AMOUNTS,
    row_amount=" + ".join(f"coalesce({part}, 0)" for part in _PARTS),
    silent=_SILENT,
).mapping()

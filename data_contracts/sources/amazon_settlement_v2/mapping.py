"""Map Amazon settlements of form V2, one amount per row, to ``money_event``."""

from __future__ import annotations

from data_contracts.mapping.amazon.settlements import SettlementForm

_AMOUNTS = """
SELECT row_order, '' AS part, transaction_type, amount_type, amount_description, signed_amount
FROM raw WHERE signed_amount IS NOT NULL
"""

MAPPING = SettlementForm("amazon_settlement_v2", "amazon", _AMOUNTS, "signed_amount").mapping()

"""Map Lazada transactions of the older form to ``money_event``: one row for each amount."""

from __future__ import annotations

from data_contracts.mapping.lazada import LazadaReport

MAPPING = LazadaReport(
    source="lazada_transactions",
    days=("transacted_on",),
    changing=("paid_state", "payment_reference"),
    kind="transaction_type",
    status="CASE WHEN lower(paid_state) IN ('paid', 'yes') THEN 'paid' ELSE 'released' END",
).mapping()

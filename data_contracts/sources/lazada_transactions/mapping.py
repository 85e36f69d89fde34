"""Map Lazada transactions of the older form to ``money_event``: one row for each amount."""

from __future__ import annotations

from data_contracts.mapping.lazada import LazadaReport

_IS_PAID = "lower(trim(paid_state)) IN ('paid', 'yes')"

MAPPING = LazadaReport(
    source="lazada_transactions",
    days=("transacted_on",),
    changing=("paid_state", "payment_reference"),
    kind="transaction_type",
    is_final=f"coalesce({_IS_PAID}, false)",
    status=f"CASE WHEN {_IS_PAID} THEN 'paid' ELSE 'released' END",
).mapping()

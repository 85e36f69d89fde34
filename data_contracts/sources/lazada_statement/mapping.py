"""Map Lazada statements to ``money_event``: one row for each amount."""

from __future__ import annotations

from data_contracts.mapping.lazada import LazadaReport

MAPPING = LazadaReport(
    source="lazada_statement",
    days=("transacted_on", "released_on", "ordered_on"),
    changing=("release_state", "released_on"),
    kind="'statement'",
    status="CASE part WHEN 'estimate' THEN 'estimated' ELSE 'released' END",
    available_on="released_on",
    estimated="estimated_amount",
).mapping()

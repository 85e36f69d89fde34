"""Map CAMT.053 account statements to ``bank_entry``."""

from __future__ import annotations

from data_contracts.mapping.bank.messages import message_mapping

MAPPING = message_mapping("camt053_statement")

"""Source shein_paid_bills: its contract and its mapping to canonical tables."""

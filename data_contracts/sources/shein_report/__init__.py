"""Source shein_report: its contract and its mapping to canonical tables."""

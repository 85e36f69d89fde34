"""Source aliexpress_cash_flow: its contract and its mapping to canonical tables."""

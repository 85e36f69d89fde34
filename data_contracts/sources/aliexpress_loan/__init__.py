"""Source aliexpress_loan: its contract and its mapping to canonical tables."""

"""Source airwallex_balance_activity: its contract and its mapping to canonical tables."""

"""Source stripe_balance_history: its contract and its mapping to canonical tables."""

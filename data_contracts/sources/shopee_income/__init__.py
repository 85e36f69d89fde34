"""Source shopee_income: its contract and its mapping to canonical tables."""

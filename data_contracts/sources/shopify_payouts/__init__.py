"""Source shopify_payouts: its contract and its mapping to canonical tables."""

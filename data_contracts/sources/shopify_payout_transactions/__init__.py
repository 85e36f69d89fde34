"""Source shopify_payout_transactions: its contract and its mapping to canonical tables."""

"""Source lazada_transactions: its contract and its mapping to canonical tables."""

"""Source amazon_settlement_v2: its contract and its mapping to canonical tables."""

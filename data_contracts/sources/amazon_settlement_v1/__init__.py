"""Source amazon_settlement_v1: its contract and its mapping to canonical tables."""

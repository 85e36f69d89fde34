"""Source shop_traffic: its contract and its mapping to canonical tables."""

"""Source amazon_finances: its contract and its mapping to canonical tables."""

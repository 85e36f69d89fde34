"""Source amazon_date_range: its contract and its mapping to canonical tables."""

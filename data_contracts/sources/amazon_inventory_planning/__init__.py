"""Source amazon_inventory_planning: its contract and its mapping to canonical tables."""

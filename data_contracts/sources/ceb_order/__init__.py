"""Source ceb_order: its contract and its mapping to canonical tables."""

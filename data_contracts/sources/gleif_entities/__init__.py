"""Source gleif_entities: its contract and its mapping to canonical tables."""

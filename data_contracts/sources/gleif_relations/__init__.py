"""Source gleif_relations: its contract and its mapping to canonical tables."""

"""Source cumcm_firms: its contract and its mapping to canonical tables."""

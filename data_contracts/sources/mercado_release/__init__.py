"""Source mercado_release: its contract and its mapping to canonical tables."""

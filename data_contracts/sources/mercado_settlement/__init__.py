"""Source mercado_settlement: its contract and its mapping to canonical tables."""

"""Source temu_pending: its contract and its mapping to canonical tables."""

"""Source temu_ledger: its contract and its mapping to canonical tables."""

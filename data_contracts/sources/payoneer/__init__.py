"""Source payoneer: its contract and its mapping to canonical tables."""

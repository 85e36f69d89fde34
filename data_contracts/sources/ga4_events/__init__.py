"""Source ga4_events: its contract and its mapping to canonical tables."""

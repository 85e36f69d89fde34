"""Source ceb_summary: its contract and its mapping to canonical tables."""

"""Source us_bills_of_lading: its contract and its mapping to canonical tables."""

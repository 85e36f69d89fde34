"""Source ceb_receipt: its contract and its mapping to canonical tables."""

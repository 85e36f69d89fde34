"""Source ceb_list: its contract and its mapping to canonical tables."""

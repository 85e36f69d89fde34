"""Source bods_statements: its contract and its mapping to canonical tables."""

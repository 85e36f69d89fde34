"""Source china_bank_statement: its contract and its mapping to canonical tables."""

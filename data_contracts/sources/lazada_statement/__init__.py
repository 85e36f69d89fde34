"""Source lazada_statement: its contract and its mapping to canonical tables."""

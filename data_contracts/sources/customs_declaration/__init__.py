"""Source customs_declaration: its contract and its mapping to canonical tables."""

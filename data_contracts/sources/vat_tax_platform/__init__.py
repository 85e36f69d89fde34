"""Source vat_tax_platform: its contract and its mapping to canonical tables."""

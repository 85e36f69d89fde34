"""Source vat_invoices: its contract and its mapping to canonical tables."""

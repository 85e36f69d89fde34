"""Source company_links: its contract and its mapping to canonical tables."""

"""Source lender_applications: its contract and its mapping to canonical tables."""

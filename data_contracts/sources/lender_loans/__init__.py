"""Source lender_loans: its contract and its mapping to canonical tables."""

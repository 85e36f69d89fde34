"""Source lender_repayments: its contract and its mapping to canonical tables."""

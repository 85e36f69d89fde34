"""Source stripe_payout_reconciliation: its contract and its mapping to canonical tables."""

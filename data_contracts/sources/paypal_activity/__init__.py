"""Source paypal_activity: its contract and its mapping to canonical tables."""

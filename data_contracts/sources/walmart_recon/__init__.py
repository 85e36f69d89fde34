"""Source walmart_recon: its contract and its mapping to canonical tables."""

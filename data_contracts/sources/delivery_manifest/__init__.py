"""Source delivery_manifest: its contract and its mapping to canonical tables."""

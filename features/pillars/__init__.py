"""Feature records, one module per pillar."""

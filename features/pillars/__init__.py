"""Feature records, one module per pillar of the passport."""

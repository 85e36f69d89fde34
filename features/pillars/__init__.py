"""Feature records, one file per pillar of the passport."""

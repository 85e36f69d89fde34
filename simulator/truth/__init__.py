"""Known truth, written for evaluation; no pipeline stage reads it."""

"""Known truth: what the pipeline never reads."""

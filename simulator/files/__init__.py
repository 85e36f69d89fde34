"""Raw files in the real source formats."""

"""Map the columns of a source to canonical tables."""

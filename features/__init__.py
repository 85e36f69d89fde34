"""Features of a seller as of a date."""

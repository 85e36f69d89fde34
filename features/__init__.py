"""What is computed of a seller as of a date."""

"""Small files in the formats that sources deliver."""

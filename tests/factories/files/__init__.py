"""Small files in the forms that sources deliver."""

"""The stock trainer beside other libraries of the field, on public and on your own credit tables."""

"""Leaks planted into tables, to see whether they are found."""

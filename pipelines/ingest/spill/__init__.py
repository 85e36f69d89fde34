"""Rows that do not fit in memory, kept on disk."""

"""Render feature records to SQL and run them on DuckDB as of a date."""

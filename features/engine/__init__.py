"""Feature records rendered to SQL and run on DuckDB as of a date."""

"""Stage ``ingest``: read raw files into canonical tables and account for every row."""

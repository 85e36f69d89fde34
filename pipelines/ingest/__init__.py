"""Stage ``ingest``: read raw files into canonical tables and count every row."""

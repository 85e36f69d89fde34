"""Read JSON, XML and nested Parquet records."""

"""Compare two versions of a contract."""

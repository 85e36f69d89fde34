"""Schema compatibility: compare two versions of a contract."""

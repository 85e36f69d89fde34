"""Raw files of the credit data pool: stock, receivables, public records and accounts."""

"""Raw files of the data pool: stock, receivables, records, accounts."""

"""Bank statements: their entries, balances, days and words, whatever the format."""

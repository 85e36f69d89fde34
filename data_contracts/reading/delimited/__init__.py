"""Read CSV and TSV files, quoted or not, in any encoding a contract allows."""

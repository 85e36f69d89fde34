"""Read XLSX workbooks."""

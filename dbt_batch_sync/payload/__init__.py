"""Delta rows to JSON operations and rejected values: whole record batches at once, in an in-process DuckDB."""

"""Delta rows to JSON operations and refusals: whole record batches at once, in an in-process DuckDB."""

"""Delta rows to JSON operations and rejected values, batch by batch, in an in-process DuckDB."""

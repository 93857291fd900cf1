"""Turns delta rows into JSON operations and rejections, batch by batch, in an in-process DuckDB."""

"""dbt's files: manifest, catalog, run results, and the columns in their compiled SQL."""

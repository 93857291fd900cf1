"""dbt's files: manifest, catalog, run results, and what the compiled SQL in them says."""

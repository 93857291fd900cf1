"""A project's connections: `profiles.yml`, the dbt target and the outputs to Batch."""

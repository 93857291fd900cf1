"""The connections of a project: `profiles.yml`, its dbt target, its outputs to Batch."""

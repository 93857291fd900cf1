"""Pushes as tasks of orchestrators: `airflow`, `dagster` and `prefect`, one module each.

Each imports its orchestrator and is imported by nothing here, because dbt imports every module named `dbt_*`.
"""

"""Pushes as tasks of an orchestrator: `airflow`, `dagster`, `prefect`, each a module.

Each imports its orchestrator, and none is imported by anything else here: dbt imports every module named
`dbt_*`.
"""

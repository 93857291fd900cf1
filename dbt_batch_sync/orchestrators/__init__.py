"""Pushes as tasks of an orchestrator: `hooks.airflow`, `hooks.dagster`, `hooks.prefect`.

Each imports its orchestrator, and none is imported by anything else here: dbt imports every module named
`dbt_*`.
"""

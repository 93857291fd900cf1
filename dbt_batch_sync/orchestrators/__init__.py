"""Pushes as tasks of an orchestrator: `orchestrators.airflow`, `orchestrators.dagster`, `orchestrators.prefect`.

Each imports its orchestrator, and none is imported by anything else here: dbt imports every module named
`dbt_*`.
"""

"""Keeps Batch's profiles equal to dbt models. Nothing is imported here: dbt imports every module named
`dbt_*`.
"""

__version__ = "0.1.0"

"""Measures dbt-batch-sync, and others at the same work: `python -m benchmarks --help`. Needs nothing but
Python.

What is timed runs as a user would run it: a command in a process of its own, in an environment of its own,
sending to a
local HTTP server. Nothing here is a test of speed: a run fails only when the wrong profiles arrive.
"""

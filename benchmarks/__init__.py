"""Measures dbt-batch-sync, and others at the same work: `python -m benchmarks --help`. It needs only Python.

What is timed runs as a user would run it: a command in a process of its own, in an environment of its own,
sending to a local HTTP server. Nothing here is a test of speed: a run fails only when a command does, or when
the wrong profiles arrive.

`scenarios` says what is measured, with `contestants` (who sends), `project` and `databases` (what from),
`arrivals` and `sink` (where to); `measure` what it costs; `findings`, `goals`, `report` and `charts` what is
made of it.
"""

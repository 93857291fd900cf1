"""Benchmarks of dbt-batch-sync and comparable tools: `python -m benchmarks --help`. Requires only Python.

Every measured command runs as users run it: in its own process and environment, sending to a local HTTP
server. Speed is never a test: a run fails only if a command fails or the wrong profiles arrive.

`scenarios` defines what is measured, with `contestants` (the senders), `project` and `databases` (the
source), and `arrivals` and `sink` (the destination). `measure` takes the measurements; `findings`, `goals`,
`report` and `charts` present them.
"""

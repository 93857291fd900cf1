"""A stand-in for Batch's profile API over real HTTP: strict as documented, with faults on demand.

An independent reading of the API's rules, and so an oracle for the tests: nothing here imports the rest of
the project, except its errors. `server.SandboxServer` runs it in a thread, `server.serve` until it is
interrupted. Needs the extra `sandbox`.
"""

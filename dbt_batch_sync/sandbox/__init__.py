"""A stand-in for Batch's profile API over real HTTP, strict as documented.

An independent reading of the API's rules, and so an oracle for the tests: nothing here imports the rest of
the project, except its errors, `is_loopback` and how its pages are loaded. `server.SandboxServer` runs it in
a thread, `server.serve` until it is interrupted. Needs the extra `sandbox`.
"""

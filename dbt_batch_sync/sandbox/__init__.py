"""A local stand-in for Batch's API over HTTP, as strict as its documentation.

It reads the API's rules independently and so serves as an oracle in tests: nothing here imports the rest of
the project, except its errors, `is_loopback` and the loading of pages. `server.SandboxServer` runs it in a
thread, `server.serve` until it is interrupted. Requires the extra `sandbox`.
"""

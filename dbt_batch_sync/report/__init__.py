"""One static HTML page of runs, deltas and refusals: what needs no server, and can be sent to somebody."""

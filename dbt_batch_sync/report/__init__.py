"""One static HTML page of runs, deltas and rejections: needs no server."""

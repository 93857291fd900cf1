"""One static HTML page of runs, deltas and rejections. It needs no server."""

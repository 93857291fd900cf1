"""From rows to settled rows: chunks, rate limits, requests in flight, and the prefix that may be recorded.

`chunks` cuts a delta into requests · `pacing` limits the rate · `sender` sends several chunks at a time, each
until it is settled, and returns them in order · `halving` finds the rows that a request was rejected for.
"""

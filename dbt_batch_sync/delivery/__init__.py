"""From rows to settled rows: chunks, rate limits, requests in flight, and the prefix that may be recorded.

`chunks` cuts a delta into requests · `pacing` limits the rate · `calls` sends one request until it is settled
· `halving` finds the rows that a request was rejected for · `sender` sends several chunks at a time and
returns them in order.
"""

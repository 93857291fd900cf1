"""From rows to acknowledged rows: chunks, their pace, several in flight, the prefix that may be committed.

`chunks` cuts a delta into calls · `pacing` how fast · `calls` one call until it is settled · `halving` finds
the rows that a call was rejected for · `outcomes` what became of a chunk · `sender` several chunks at once,
given back in order.
"""

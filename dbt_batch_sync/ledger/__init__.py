"""What is written down in the warehouse, and read from it: a journal and rejects, which only ever grow.

`records` what the tables hold · `journal` appends and reads · `state` what the journal says of a sync ·
`claims` one push per sync · `rejects` reads what is rejected
"""

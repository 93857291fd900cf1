"""The ledger in the warehouse: a journal and rejects, to which rows are only appended.

`records` defines the rows · `journal` appends and reads · `state` derives the state of a sync · `claims`
allows one push per sync
"""

"""The runner's statements, as sqlglot trees: what is read from a delta, and how accepted rows become the
snapshot's.

A value is always a named placeholder; an identifier of the user's is always quoted, with the name that the
warehouse reports. The ledger's own tables are this project's, so their plain lower-case names are left to the
warehouse's rules.
"""

"""The kinds of syncs, one module each; `kind` defines their interface.

`attributes` has Batch's rules for values and names, `vocabularies` the values that exist.
"""

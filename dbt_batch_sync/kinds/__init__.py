"""What a sync keeps equal in Batch, a module for each kind; `kind` says what a kind is.

`attributes` are Batch's rules of values and names, `vocabularies` its closed lists of words.
"""

"""The Batch REST API: one call, one answer. The only part that imports `requests`.

`answers` what came back, parsed · `reasons` what of an answer's
text is safe to keep · `retry` whether to call again · `messages` what to tell the user · `client` the call
itself.
"""

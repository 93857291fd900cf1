"""The Batch REST API: one request, one answer. The only part that imports `requests`.

`answers` parses answers · `reasons` decides which text of an answer may be stored · `retry` decides on
retries · `messages` explains answers to users · `client` sends requests.
"""

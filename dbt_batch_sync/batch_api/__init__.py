"""The Batch REST API: one request, one answer. The only part that imports `requests`.

`answers` parses answers and explains them to users · `reasons` decides which text of an answer may be stored
· `retry` decides on retries · `client` sends requests over `transport` · `exports` reads profiles.
"""

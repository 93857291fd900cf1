"""The minimum: DuckDB scans and renders, and the bytes are posted. No checks, no diff, no order, no state.

Arguments: file, URL.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pyarrow as pa
import requests

path, url = sys.argv[1:]
text = "to_json({0})::varchar"
moment = "strftime({0}, '\"%Y-%m-%dT%H:%M:%SZ\"')"
attributes = [
    ("email", "$email_address", text),
    ("email_optin", "$email_marketing", "if({0}, '\"subscribed\"', '\"unsubscribed\"')"),
    ("phone", "$phone_number", text),
    ("language", "$language", text),
    ("country", "$region", text),
    ("timezone", "$timezone", text),
    ("full_name", "full_name", text),
    ("city", "city", text),
    ("birthdate", "date(birthdate)", moment),
    ("last_order_at", "date(last_order_at)", moment),
    ("order_count", "order_count", "{0}::varchar"),
    ("lifetime_value", "lifetime_value", "{0}::varchar"),
    ("is_vip", "is_vip", "{0}::varchar"),
    ("interests", "interests", text),
    ("website", "url(website)", text),
]
parts = ", ".join(f"""'"{name}":' || {form.format(column)}""" for column, name, form in attributes)
query = f"""
select '{{"identifiers":{{"custom_id":' || to_json(customer_id)::varchar || '}},"attributes":{{' || concat_ws(',', {parts}) || '}}}},'
from raw.people
"""
reader = duckdb.connect(path, read_only=True).sql(query).to_arrow_reader(10_000)
session = requests.Session()
session.headers = {
    "Authorization": "Bearer sandbox",
    "X-Batch-Project": "sandbox",
    "Content-Type": "application/json",
}


def post(column: pa.Array) -> None:
    offsets = memoryview(column.buffers()[1]).cast("i")[column.offset : column.offset + len(column) + 1]
    body = b"[" + memoryview(column.buffers()[2])[offsets[0] : offsets[-1] - 1] + b"]"
    session.post(url, data=body).raise_for_status()


with ThreadPoolExecutor(4) as pool:
    waiting = []
    for batch in reader:
        for start in range(0, len(batch), 10_000):
            waiting.append(pool.submit(post, batch.column(0).slice(start, 10_000)))
        while len(waiting) > 4:
            waiting.pop(0).result()
    for each in waiting:
        each.result()

"""A simple script: rows, dicts, orjson, requests. Arguments: file, URL, optional SQL condition."""

import sys

import duckdb
import orjson
import requests

path, url, *condition = sys.argv[1:]
names = "$email_address $email_marketing $phone_number $language $region $timezone full_name city date(birthdate)".split()
names += "date(last_order_at) order_count lifetime_value is_vip interests url(website)".split()
query = "select * replace (if(email_optin, 'subscribed', 'unsubscribed') as email_optin, birthdate::timestamp as birthdate)"
rows = duckdb.connect(path, read_only=True).execute(" ".join([query, "from raw.people", *condition]))
session = requests.Session()
session.headers = {
    "Authorization": "Bearer sandbox",
    "X-Batch-Project": "sandbox",
    "Content-Type": "application/json",
}
while chunk := rows.fetchmany(10_000):
    operations = [{"identifiers": {"custom_id": r[0]}, "attributes": dict(zip(names, r[1:]))} for r in chunk]
    body = orjson.dumps(operations, default=float, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)
    session.post(url, data=body).raise_for_status()

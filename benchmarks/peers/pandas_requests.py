"""pandas and requests: the whole table as a data frame, sent as JSON records. Arguments: file, URL."""

import sys

import duckdb
import pandas as pd
import requests

path, url = sys.argv[1:]
frame = duckdb.connect(path, read_only=True).execute("select * from raw.people").df()
frame["email_optin"] = frame["email_optin"].map({True: "subscribed", False: "unsubscribed"})
for column in ("birthdate", "last_order_at"):
    frame[column] = frame[column].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
frame["lifetime_value"] = frame["lifetime_value"].astype(float)
frame["interests"] = [None if items is pd.NA else list(items) for items in frame["interests"]]
names = "custom_id $email_address $email_marketing $phone_number $language $region $timezone full_name city date(birthdate)"
frame.columns = [
    *names.split(),
    *"date(last_order_at) order_count lifetime_value is_vip interests url(website)".split(),
]
session = requests.Session()
session.headers.update({"Authorization": "Bearer sandbox", "X-Batch-Project": "sandbox"})
for start in range(0, len(frame), 10_000):
    part = frame.iloc[start : start + 10_000].astype(object)
    records = part.where(part.notna(), None).to_dict("records")
    operations = [
        {"identifiers": {"custom_id": each.pop("custom_id")}, "attributes": each} for each in records
    ]
    session.post(url, json=operations).raise_for_status()

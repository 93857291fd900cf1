"""dlt: Arrow batches from DuckDB, and a custom destination that posts them. Arguments: file, URL, directory."""

import sys

import dlt
import duckdb
import orjson
import requests

path, url, directory = sys.argv[1:]
names = {
    "email": "$email_address",
    "email_optin": "$email_marketing",
    "phone": "$phone_number",
    "language": "$language",
    "country": "$region",
    "timezone": "$timezone",
    "birthdate": "date(birthdate)",
    "last_order_at": "date(last_order_at)",
    "website": "url(website)",
}
query = """
select * replace (
    if(email_optin, 'subscribed', 'unsubscribed') as email_optin,
    strftime(birthdate, '%Y-%m-%dT%H:%M:%SZ') as birthdate,
    strftime(last_order_at, '%Y-%m-%dT%H:%M:%SZ') as last_order_at,
    lifetime_value::double as lifetime_value
)
from raw.people
"""
session = requests.Session()
session.headers.update({"Authorization": "Bearer sandbox", "X-Batch-Project": "sandbox"})


@dlt.resource(name="people")
def people():
    reader = duckdb.connect(path, read_only=True).sql(query).to_arrow_reader(100_000)
    yield from reader


@dlt.destination(
    batch_size=10_000, loader_file_format="parquet", name="batch", skip_dlt_columns_and_tables=True
)
def batch(items, table):
    columns = items.to_pydict()
    ids = columns.pop("customer_id")
    wire = [names.get(name, name) for name in columns]
    rows = zip(ids, zip(*columns.values()))
    operations = [
        {"identifiers": {"custom_id": key}, "attributes": dict(zip(wire, row))} for key, row in rows
    ]
    session.post(url, data=orjson.dumps(operations)).raise_for_status()


pipeline = dlt.pipeline("benchmark", destination=batch, pipelines_dir=directory, dataset_name="benchmark")
pipeline.run(people())

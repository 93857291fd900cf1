"""The expected arrivals. Runs in our environment with the arguments: DuckDB file, result file, step of the
sample, optionally `changed`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from zlib import crc32

import duckdb

ATTRIBUTES = """
    email as "$email_address",
    if(email_optin, 'subscribed', 'unsubscribed') as "$email_marketing",
    phone as "$phone_number",
    language as "$language",
    country as "$region",
    timezone as "$timezone",
    full_name,
    city,
    strftime(birthdate, '%Y-%m-%dT%H:%M:%SZ') as "date(birthdate)",
    strftime(last_order_at, '%Y-%m-%dT%H:%M:%SZ') as "date(last_order_at)",
    order_count,
    lifetime_value::double as lifetime_value,
    is_vip,
    interests,
    website as "url(website)"
"""


def main(database: str, result: str, every: str, *condition: str) -> None:
    """Write the number of operations, their checksum, and the non-null attributes of a sample."""
    connection = duckdb.connect(database, read_only=True)
    people = "from raw.people where " + ("substr(customer_id, 2)::bigint % 100 = 7" if condition else "true")
    total = xor = count = 0
    ids = connection.execute(f"select customer_id {people}")
    while chunk := ids.fetchmany(100_000):
        for (custom_id,) in chunk:
            check = crc32(custom_id.encode())
            count, total, xor = count + 1, total + check, xor ^ check
    sampled = (
        f"select customer_id, {ATTRIBUTES} {people} and substr(customer_id, 2)::bigint % {int(every)} = 0"
    )
    rows = connection.execute(sampled)
    names = [column[0] for column in rows.description][1:]
    sample = {
        row[0]: {name: value for name, value in zip(names, row[1:], strict=True) if value is not None}
        for row in rows.fetchall()
    }
    document = {"operations": count, "checksum": f"{total:x}-{xor:x}", "sample": sample}
    Path(result).write_text(json.dumps(document))


if __name__ == "__main__":
    main(*sys.argv[1:])

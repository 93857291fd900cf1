"""Column types as reported by each warehouse's adapter."""

from __future__ import annotations

from collections.abc import Mapping

# By kind of column. `tags` is an array of strings.
REPORTED: Mapping[str, Mapping[str, str]] = {
    "duckdb": {
        "text": "VARCHAR", "boolean": "BOOLEAN", "tags": "VARCHAR[]", "integer": "INTEGER", "huge": "HUGEINT", "decimal": "DECIMAL(18,4)",
        "double": "DOUBLE", "date": "DATE", "timestamp": "TIMESTAMP", "instant": "TIMESTAMP WITH TIME ZONE", "json": "JSON", "uuid": "UUID",
    },
    "postgres": {
        "text": "text", "boolean": "boolean", "tags": "text[]", "integer": "integer", "huge": "numeric", "decimal": "numeric(18,4)",
        "double": "double precision", "date": "date", "timestamp": "timestamp without time zone",
        "instant": "timestamp with time zone", "json": "jsonb", "uuid": "uuid",
    },
    "snowflake": {
        "text": "VARCHAR(16777216)", "boolean": "BOOLEAN", "tags": "ARRAY", "integer": "NUMBER(38,0)", "decimal": "NUMBER(18,4)",
        "double": "FLOAT", "date": "DATE", "timestamp": "TIMESTAMP_NTZ(9)", "instant": "TIMESTAMP_TZ(9)", "json": "VARIANT",
        "collated": "VARCHAR(10) COLLATE 'en-ci'", "typed_tags": "ARRAY(VARCHAR(16777216))",
    },
    "bigquery": {
        "text": "STRING", "boolean": "BOOL", "tags": "ARRAY<STRING>", "integer": "INT64", "huge": "BIGNUMERIC", "decimal": "NUMERIC",
        "double": "FLOAT64", "date": "DATE", "timestamp": "DATETIME", "instant": "TIMESTAMP", "json": "JSON",
    },
    "redshift": {
        "text": "character varying(256)", "boolean": "boolean", "tags": "super", "integer": "integer", "decimal": "numeric(18,4)",
        "double": "double precision", "date": "date", "timestamp": "timestamp without time zone",
        "instant": "timestamp with time zone",
    },
    "databricks": {
        "text": "string", "boolean": "boolean", "tags": "array<string>", "integer": "int", "decimal": "decimal(18,4)", "double": "double",
        "date": "date", "timestamp": "timestamp_ntz", "instant": "timestamp", "json": "map<string,string>",
        "collated": "string collate UTF8_LCASE",
    },
    "spark": {
        "text": "string", "boolean": "boolean", "tags": "array<string>", "integer": "int", "decimal": "decimal(18,4)", "double": "double",
        "date": "date", "timestamp": "timestamp_ntz", "instant": "timestamp", "json": "map<string,string>",
    },
}  # fmt: skip

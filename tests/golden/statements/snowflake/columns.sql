describe table shop.marts.people;
-- as on DuckDB (4 lines)
        to_json("tags") as "TAGS",
        cast("integer" as NUMBER(38,0)) as "INTEGER",
        cast("decimal" as NUMBER(18,4)) as "DECIMAL",
-- as on DuckDB (3 lines)
        cast(convert_timezone('UTC', "instant") as TIMESTAMP_NTZ(6)) as "INSTANT",
        to_json("json") as "JSON",
        cast(collate("collated", '') as VARCHAR) as "COLLATED",
        to_json(cast("typed_tags" as ARRAY)) as "TYPED_TAGS",
        cast(cast("integer" as NUMBER(38,0)) as VARCHAR) as "INTEGER_TEXT",
-- as on DuckDB (2 lines)
        cast(cast(convert_timezone('UTC', "instant") as TIMESTAMP_NTZ(6)) as VARCHAR) as "INSTANT_TEXT",
-- as on DuckDB (2 lines)

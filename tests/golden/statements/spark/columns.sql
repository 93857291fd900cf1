-- as on DuckDB (4 lines)
        cast(`tags` as array<string>) as `tags`,
-- as on DuckDB (1 lines)
-- without some lines of DuckDB
-- as on DuckDB (4 lines)
        timestamp_ntz'1970-01-01 00:00:00' + unix_micros(`instant`) * interval '0.000001' second as `instant`,
        to_json(`json`) as `json`,
-- as on DuckDB (3 lines)
        cast(timestamp_ntz'1970-01-01 00:00:00' + unix_micros(`instant`) * interval '0.000001' second as string) as `instant_text`,
-- as on DuckDB (2 lines)

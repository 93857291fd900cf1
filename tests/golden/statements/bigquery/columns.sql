-- as on DuckDB (1 lines)
        collate(cast(`text` as STRING), '') as `custom_id`,
-- as on DuckDB (2 lines)
        case when array_length(`tags`) > 0 then to_json_string(`tags`) end as `tags`,
-- as on DuckDB (1 lines)
        cast(`huge` as BIGNUMERIC) as `huge`,
        cast(`decimal` as NUMERIC) as `decimal`,
-- as on DuckDB (1 lines)
        cast(`date` as DATETIME) as `date`,
-- as on DuckDB (1 lines)
        datetime(`instant`, 'UTC') as `instant`,
        case when `json` is not null then to_json_string(`json`) end as `json`,
-- as on DuckDB (2 lines)
        cast(`date` as STRING) as `date_text`,
        cast(datetime(`instant`, 'UTC') as STRING) as `instant_text`,
-- as on DuckDB (2 lines)

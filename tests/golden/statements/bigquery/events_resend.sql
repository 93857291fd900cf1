-- as on DuckDB (14 lines)
        collate(cast(`id` as STRING), '') as `event_id`,
        collate(cast(`customer` as STRING), '') as `custom_id`,
-- as on DuckDB (1 lines)
        datetime(`at`, 'UTC') as `batch__time`,
-- as on DuckDB (1 lines)
        cast(`amount` as NUMERIC) as `amount`,
-- as on DuckDB (3 lines)
        `at` >= cast('2024-05-05 07:13:09+00:00' as TIMESTAMP)
        and `at` <= cast('2024-05-06 07:08:09+00:00' as TIMESTAMP)
-- as on DuckDB (3 lines)
        collate(cast(`id` as STRING), '') as `event_id`,
        collate(cast(`customer` as STRING), '') as `custom_id`,
-- as on DuckDB (1 lines)
        datetime(`at`, 'UTC') as `batch__time`
-- as on DuckDB (2 lines)
        `at` >= cast('2024-05-05 07:08:09+00:00' as TIMESTAMP)
        and `at` < cast('2024-05-05 07:13:09+00:00' as TIMESTAMP)
-- as on DuckDB (31 lines)
        when trim(translate(unsent.`custom_id`, chr(9) || chr(10) || chr(11) || chr(12) || chr(13), '     '), ' ') = '' then 'empty_identifier'
-- as on DuckDB (1 lines)
        when (strpos(unsent.`custom_id`, chr(10)) > 0 or strpos(unsent.`custom_id`, chr(13)) > 0) then 'line_break_identifier'
        when not regexp_contains(unsent.`custom_id`, r'^(?:[^\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]*)$') then 'control_character_identifier'
        when lower(trim(unsent.`custom_id`, ' ')) in ('undefined', 'null', 'nil', '(null)', '[object object]', 'true', 'false', 'nan', 'infinity', '-infinity') then 'reserved_identifier'
-- as on DuckDB (19 lines)
        cast(null as NUMERIC) as `amount`,
-- as on DuckDB (14 lines)
        cast(null as NUMERIC) as `amount`,
-- as on DuckDB (9 lines)
    abs(mod(farm_fingerprint(coalesce(`custom_id`, '')), 16384)) as `_batch_page`,
-- as on DuckDB (8 lines)

-- as on DuckDB (2 lines)
        collate(cast(`Client Id` as STRING), '') as `custom_id`,
        cast(datetime(`asked`, 'UTC') as DATETIME) as `requested_at`,
-- as on DuckDB (4 lines)
    select collate(cast(`Client Id` as STRING), '') as `custom_id`
-- as on DuckDB (17 lines)
        when trim(translate(c.`custom_id`, chr(9) || chr(10) || chr(11) || chr(12) || chr(13), '     '), ' ') = '' then 'empty_identifier'
-- as on DuckDB (1 lines)
        when (strpos(c.`custom_id`, chr(10)) > 0 or strpos(c.`custom_id`, chr(13)) > 0) then 'line_break_identifier'
        when not regexp_contains(c.`custom_id`, r'^(?:[^\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]*)$') then 'control_character_identifier'
        when lower(trim(c.`custom_id`, ' ')) in ('undefined', 'null', 'nil', '(null)', '[object object]', 'true', 'false', 'nan', 'infinity', '-infinity') then 'reserved_identifier'
-- as on DuckDB (1 lines)
        case when c._batch_here = 1 then (s.`requested_at` is null or c.`requested_at` > s.`requested_at` or strpos(coalesce(s.`_batch_doubt`, ''), ',requested_at,') > 0) else false end as _batch_send_1,
-- as on DuckDB (36 lines)
        collate(cast(`Client Id` as STRING), '') as `custom_id`,
        cast(datetime(`asked`, 'UTC') as DATETIME) as `requested_at`,
-- as on DuckDB (13 lines)

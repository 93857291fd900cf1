-- as on DuckDB (2 lines)
        collate(cast(`Client Id` as STRING), '') as `item_id`,
-- as on DuckDB (1 lines)
        case when array_length(`tags`) > 0 then to_json_string(`tags`) end as `tags`,
-- as on DuckDB (5 lines)
    select collate(cast(`Client Id` as STRING), '') as `item_id`
-- as on DuckDB (17 lines)
        when trim(translate(c.`item_id`, chr(9) || chr(10) || chr(11) || chr(12) || chr(13), '     '), ' ') = '' then 'empty_identifier'
-- as on DuckDB (1 lines)
        when (strpos(c.`item_id`, chr(10)) > 0 or strpos(c.`item_id`, chr(13)) > 0) then 'line_break_identifier'
        when not regexp_contains(c.`item_id`, r'^(?:[^\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]*)$') then 'control_character_identifier'
-- as on DuckDB (2 lines)
        (c.`nick` is distinct from s.`nick` or case when s.`_batch_doubt` is not null then strpos(coalesce(s.`_batch_doubt`, ''), ',nick,') > 0 else false end)
-- as on DuckDB (2 lines)
        (c.`tags` is distinct from s.`tags` or case when s.`_batch_doubt` is not null then strpos(coalesce(s.`_batch_doubt`, ''), ',tags,') > 0 else false end)
-- as on DuckDB (2 lines)
        (c.`batch__present` is distinct from s.`batch__present` or case when s.`_batch_doubt` is not null then strpos(coalesce(s.`_batch_doubt`, ''), ',batch__present,') > 0 else false end)
    when s.`_batch_exited_at` is null or s.`_batch_doubt` is not null then (s.`batch__present` is distinct from false or case when s.`_batch_doubt` is not null then strpos(coalesce(s.`_batch_doubt`, ''), ',batch__present,') > 0 else false end) else false end as _batch_send_3,
-- as on DuckDB (46 lines)
        collate(cast(`Client Id` as STRING), '') as `item_id`,
-- as on DuckDB (1 lines)
        case when array_length(`tags`) > 0 then to_json_string(`tags`) end as `tags`,
-- as on DuckDB (10 lines)
    abs(mod(farm_fingerprint(coalesce(`item_id`, '')), 16384)) as `_batch_page`,
-- as on DuckDB (5 lines)

-- as on DuckDB (2 lines)
        collate(cast(`Client Id` as STRING), '') as `custom_id`,
-- as on DuckDB (1 lines)
        nullif(collate(`nick`, ''), '') as `nick`,
        case when array_length(`tags`) > 0 then to_json_string(`tags`) end as `tags`,
-- as on DuckDB (5 lines)
    select collate(cast(`Client Id` as STRING), '') as `custom_id`
-- as on DuckDB (17 lines)
        when trim(translate(c.`custom_id`, chr(9) || chr(10) || chr(11) || chr(12) || chr(13), '     '), ' ') = '' then 'empty_identifier'
-- as on DuckDB (1 lines)
        when (strpos(c.`custom_id`, chr(10)) > 0 or strpos(c.`custom_id`, chr(13)) > 0) then 'line_break_identifier'
        when not regexp_contains(c.`custom_id`, r'^(?:[^\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]*)$') then 'control_character_identifier'
        when lower(trim(c.`custom_id`, ' ')) in ('undefined', 'null', 'nil', '(null)', '[object object]', 'true', 'false', 'nan', 'infinity', '-infinity') then 'reserved_identifier'
-- as on DuckDB (2 lines)
        (c.`batch__email_marketing` is distinct from s.`batch__email_marketing` or case when s.`_batch_doubt` is not null then strpos(coalesce(s.`_batch_doubt`, ''), ',batch__email_marketing,') > 0 else false end) and c.`batch__email_marketing` is not null and not (c.`batch__email_marketing` is not null and c.`batch__email_marketing` = true and case when s.`_batch_opted_out` is not null then strpos(coalesce(s.`_batch_opted_out`, ''), ',batch__email_marketing,') > 0 else false end)
-- as on DuckDB (2 lines)
        (c.`nick` is distinct from s.`nick` or case when s.`_batch_doubt` is not null then strpos(coalesce(s.`_batch_doubt`, ''), ',nick,') > 0 else false end) and c.`nick` is not null
-- as on DuckDB (2 lines)
        (c.`tags` is distinct from s.`tags` or case when s.`_batch_doubt` is not null then strpos(coalesce(s.`_batch_doubt`, ''), ',tags,') > 0 else false end)
-- as on DuckDB (2 lines)
        (c.`in_crm` is distinct from s.`in_crm` or case when s.`_batch_doubt` is not null then strpos(coalesce(s.`_batch_doubt`, ''), ',in_crm,') > 0 else false end)
    when s.`_batch_exited_at` is null or s.`_batch_doubt` is not null then (s.`in_crm` is distinct from false or case when s.`_batch_doubt` is not null then strpos(coalesce(s.`_batch_doubt`, ''), ',in_crm,') > 0 else false end) else false end as _batch_send_4,
        (c._batch_here = 1 and c.`batch__email_marketing` is distinct from s.`batch__email_marketing` and (c.`batch__email_marketing` is not null and c.`batch__email_marketing` = true and case when s.`_batch_opted_out` is not null then strpos(coalesce(s.`_batch_opted_out`, ''), ',batch__email_marketing,') > 0 else false end)) as _batch_blocked_1,
-- as on DuckDB (53 lines)
        collate(cast(`Client Id` as STRING), '') as `custom_id`,
-- as on DuckDB (1 lines)
        nullif(collate(`nick`, ''), '') as `nick`,
        case when array_length(`tags`) > 0 then to_json_string(`tags`) end as `tags`,
-- as on DuckDB (17 lines)

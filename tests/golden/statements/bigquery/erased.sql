-- as on DuckDB (11 lines)
select s.`custom_id` as row_id from `shop`.`marts`.`people_sent_snapshot` as s inner join (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from `shop`.`marts`.`batch_sync_journal` where event = 'asked' and project_hash = '''0123456789abcdef''') as requests group by row_id) as a on a.row_id = s.`custom_id` where coalesce(case when s.`_batch_delta_id` = '''00000000-0000-4000-8000-000000000001''' then (select max(recorded_at) from `shop`.`marts`.`batch_sync_journal` where sync = '''people''' and event = 'built' and delta_id = '''00000000-0000-4000-8000-000000000001''') else s.`_batch_sent_at` end, datetime(current_timestamp(), 'UTC')) < a.asked_at + interval 2678400 second limit 1;
-- as on DuckDB (2 lines)
delete from `shop`.`marts`.`people_sent_snapshot` where `custom_id` in (select row_id from (select s.`custom_id` as row_id from `shop`.`marts`.`people_sent_snapshot` as s inner join (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from `shop`.`marts`.`batch_sync_journal` where event = 'asked' and project_hash = '''0123456789abcdef''') as requests group by row_id) as a on a.row_id = s.`custom_id` where coalesce(case when s.`_batch_delta_id` = '''00000000-0000-4000-8000-000000000001''' then (select max(recorded_at) from `shop`.`marts`.`batch_sync_journal` where sync = '''people''' and event = 'built' and delta_id = '''00000000-0000-4000-8000-000000000001''') else s.`_batch_sent_at` end, datetime(current_timestamp(), 'UTC')) < a.asked_at + interval 2678400 second) as gone);
select r.key as row_id from `shop`.`marts`.`batch_sync_rejects` as r inner join (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from `shop`.`marts`.`batch_sync_journal` where event = 'asked' and project_hash = '''0123456789abcdef''') as requests group by row_id) as a on a.row_id = r.key where r.sync = '''people''' and r.rejected_at < a.asked_at + interval 2678400 second limit 1;
delete from `shop`.`marts`.`batch_sync_rejects` where sync = '''people''' and key in (select row_id from (select r.key as row_id from `shop`.`marts`.`batch_sync_rejects` as r inner join (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from `shop`.`marts`.`batch_sync_journal` where event = 'asked' and project_hash = '''0123456789abcdef''') as requests group by row_id) as a on a.row_id = r.key where r.sync = '''people''' and r.rejected_at < a.asked_at + interval 2678400 second) as gone);
-- as on DuckDB (2 lines)
        collate(cast(`Client Id` as STRING), '') as `custom_id`,
-- as on DuckDB (1 lines)
        nullif(collate(`nick`, ''), '') as `nick`,
        case when array_length(`tags`) > 0 then to_json_string(`tags`) end as `tags`,
-- as on DuckDB (4 lines)
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
-- as on DuckDB (1 lines)
        (c._batch_here = 1 and c.`batch__email_marketing` is distinct from s.`batch__email_marketing` and (c.`batch__email_marketing` is not null and c.`batch__email_marketing` = true and case when s.`_batch_opted_out` is not null then strpos(coalesce(s.`_batch_opted_out`, ''), ',batch__email_marketing,') > 0 else false end)) as _batch_blocked_1,
-- as on DuckDB (7 lines)
    select row_id from (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from `shop`.`marts`.`batch_sync_journal` where event = 'asked' and project_hash = '''0123456789abcdef''') as requests group by row_id) as asked where asked_at > datetime(current_timestamp(), 'UTC') - interval 2678400 second
-- as on DuckDB (45 lines)
        collate(cast(`Client Id` as STRING), '') as `custom_id`,
-- as on DuckDB (1 lines)
        nullif(collate(`nick`, ''), '') as `nick`,
        case when array_length(`tags`) > 0 then to_json_string(`tags`) end as `tags`,
-- as on DuckDB (13 lines)
        cast(null as STRING) as `tags`
-- as on DuckDB (14 lines)

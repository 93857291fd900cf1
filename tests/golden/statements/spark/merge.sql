-- as on DuckDB (23 lines)
merge into marts.people_sent_snapshot as s
        using (select
-- as on DuckDB (13 lines)
        on s.`custom_id` = d.`custom_id`
        when matched and d._batch_settled = 1 then update set
            `batch__email_marketing` = d.`batch__email_marketing`,
            `nick` = d.`nick`,
            `tags` = d.`tags`,
            `_batch_sent_at` = cast('2024-05-05 01:02:03Z' as timestamp),
            `_batch_run_id` = cast('run-1' as string),
            `_batch_delta_id` = cast('00000000-0000-4000-8000-000000000001' as string),
            `_batch_exited_at` = case when d.`_batch_change` = 'exit' then coalesce(s.`_batch_exited_at`, cast('2024-05-05 01:02:03Z' as timestamp)) end,
            `_batch_doubt` = cast(nullif(case when s.`_batch_doubt` is not null then case when
    position(',batch__email_marketing,' in coalesce(s.`_batch_doubt`, '')) > 0 and not
    position(',batch__email_marketing,' in coalesce(',' || d.`_batch_changed` || ',', '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(s.`_batch_doubt`, '')) > 0 and not
    position(',nick,' in coalesce(',' || d.`_batch_changed` || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(s.`_batch_doubt`, '')) > 0 and not
    position(',tags,' in coalesce(',' || d.`_batch_changed` || ',', '')) > 0 then ',tags,' else '' end else '' end, '') as string),
            `_batch_opted_out` = cast(nullif(case when
    position(',batch__email_marketing,' in coalesce(',' || d.`_batch_changed` || ',', '')) > 0 and d.`batch__email_marketing` = false then ',batch__email_marketing,' when
    position(',batch__email_marketing,' in coalesce(',' || d.`_batch_changed` || ',', '')) > 0 and d.`batch__email_marketing` = true then '' when
    position(',batch__email_marketing,' in coalesce(s.`_batch_opted_out`, '')) > 0 then ',batch__email_marketing,' else '' end || case  when
    position(',batch__sms_marketing,' in coalesce(s.`_batch_opted_out`, '')) > 0 then ',batch__sms_marketing,' else '' end, '') as string)
        when not matched and d._batch_settled = 1 then insert (`custom_id`, `batch__email_marketing`, `nick`, `tags`, `_batch_sent_at`, `_batch_run_id`, `_batch_delta_id`, `_batch_exited_at`, `_batch_doubt`, `_batch_opted_out`) values (d.`custom_id`, d.`batch__email_marketing`, d.`nick`, d.`tags`, cast('2024-05-05 01:02:03Z' as timestamp), cast('run-1' as string), cast('00000000-0000-4000-8000-000000000001' as string), case when d.`_batch_change` = 'exit' then coalesce(null, cast('2024-05-05 01:02:03Z' as timestamp)) end, cast(nullif(case when null is not null then case when
    position(',batch__email_marketing,' in coalesce(null, '')) > 0 and not
    position(',batch__email_marketing,' in coalesce(',' || d.`_batch_changed` || ',', '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(null, '')) > 0 and not
    position(',nick,' in coalesce(',' || d.`_batch_changed` || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(null, '')) > 0 and not
    position(',tags,' in coalesce(',' || d.`_batch_changed` || ',', '')) > 0 then ',tags,' else '' end else '' end, '') as string), cast(nullif(case when
    position(',batch__email_marketing,' in coalesce(',' || d.`_batch_changed` || ',', '')) > 0 and d.`batch__email_marketing` = false then ',batch__email_marketing,' when
    position(',batch__email_marketing,' in coalesce(',' || d.`_batch_changed` || ',', '')) > 0 and d.`batch__email_marketing` = true then '' when
    position(',batch__email_marketing,' in coalesce(null, '')) > 0 then ',batch__email_marketing,' else '' end || case  when
    position(',batch__sms_marketing,' in coalesce(null, '')) > 0 then ',batch__sms_marketing,' else '' end, '') as string));
-- as on DuckDB (7 lines)
                case when (r.delta_id = '00000000-0000-4000-8000-000000000001' and d.`_batch_page` <= r.reached) then md5(cast(coalesce(cast(length(cast(d.`batch__email_marketing` as string)) as string) || ':' || cast(d.`batch__email_marketing` as string), '-') || coalesce(cast(length(cast(d.`nick` as string)) as string) || ':' || cast(d.`nick` as string), '-') || coalesce(cast(length(to_json(d.`tags`)) as string) || ':' || to_json(d.`tags`), '-') as string)) end as row_hash,
-- as on DuckDB (31 lines)
insert into marts.batch_sync_journal (recorded_at, sync, event, delta_id, merged_delta_id, answered, request, run_id, page, key, names, target, mapping_hash, attribute_types, former_types, mode, version, model_rows, known_rows, inserts, updates, exits, invalid, parked, unsure, output, project_hash, endpoint, host, process, status, started_at, sent, accepted, rejected_rows, rejected_attributes, requests, retries, settled, seconds, reading_seconds, rendering_seconds, sending_seconds, recording_seconds, retention_days, error, compared, drifted, unknown_profiles)
    select current_timestamp(), cast('people' as string) as sync, cast('merged' as string) as event, cast('00000000-0000-4000-8000-000000000002' as string) as delta_id, cast('00000000-0000-4000-8000-000000000001' as string) as merged_delta_id, cast('' as string) as answered, cast(null as string) as request, cast(null as string) as run_id, cast(null as bigint) as page, cast(null as string) as key, cast(null as string) as names, cast(null as string) as target, cast(null as string) as mapping_hash, cast(null as string) as attribute_types, cast(null as string) as former_types, cast(null as string) as mode, cast(null as string) as version, cast(null as bigint) as model_rows, cast(null as bigint) as known_rows, cast(null as bigint) as inserts, cast(null as bigint) as updates, cast(null as bigint) as exits, cast(null as bigint) as invalid, cast(null as bigint) as parked, cast(null as bigint) as unsure, cast(null as string) as output, cast(null as string) as project_hash, cast(null as string) as endpoint, cast(null as string) as host, cast(null as bigint) as process, cast(null as string) as status, cast(null as timestamp) as started_at, cast(null as bigint) as sent, cast(null as bigint) as accepted, cast(null as bigint) as rejected_rows, cast(null as bigint) as rejected_attributes, cast(null as bigint) as requests, cast(null as bigint) as retries, cast(null as bigint) as settled, cast(null as double) as seconds, cast(null as double) as reading_seconds, cast(null as double) as rendering_seconds, cast(null as double) as sending_seconds, cast(null as double) as recording_seconds, cast(null as bigint) as retention_days, cast(null as string) as error, cast(null as bigint) as compared, cast(null as bigint) as drifted, cast(null as bigint) as unknown_profiles;

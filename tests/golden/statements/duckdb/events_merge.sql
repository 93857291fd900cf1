select delta_id, attribute_types, former_types, recorded_at, inserts + updates + exits + invalid + parked as built_rows from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'built' order by recorded_at desc limit 1;
select
            run_id,
            max(case when delta_id = '00000000-0000-4000-8000-000000000001' and event = 'checkpoint' then page end) as settled_page,
            max(case when delta_id = '00000000-0000-4000-8000-000000000001' and event = 'checkpoint' then recorded_at end) as settled_at,
            max(case when delta_id = '00000000-0000-4000-8000-000000000001' and event = 'intent' then page end) as intent_page,
            max(case when delta_id = '00000000-0000-4000-8000-000000000001' and event = 'ended' then page end) as ended_page,
            max(case when event = 'ended' then 1 else 0 end) as has_ended,
            case
                when max(case when event in ('ended', 'released') then recorded_at end) is null then 0
                when max(case when event in ('ended', 'released') then recorded_at end) < max(case when event = 'claimed' then recorded_at end) then 0
                else 1
            end as is_over,
            case when max(recorded_at) > cast(now() at time zone 'UTC' as timestamp) - interval '90 seconds' then 1 else 0 end as is_heard,
            max(case when delta_id = '00000000-0000-4000-8000-000000000001' and event = 'checkpoint' then key end) as settled_key
        from "shop"."marts"."batch_sync_journal"
        where sync = 'people' and event in ('claimed', 'beat', 'intent', 'checkpoint', 'released', 'ended')
            and (delta_id = '00000000-0000-4000-8000-000000000001' or recorded_at > cast(now() at time zone 'UTC' as timestamp) - interval '90 seconds')
        group by run_id
        order by 2, 3;
select delta_id, attribute_types, former_types, recorded_at, inserts + updates + exits + invalid + parked as built_rows from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'built' order by recorded_at desc limit 1;
select
            run_id,
            max(case when delta_id = '00000000-0000-4000-8000-000000000001' and event = 'checkpoint' then page end) as settled_page,
            max(case when delta_id = '00000000-0000-4000-8000-000000000001' and event = 'checkpoint' then recorded_at end) as settled_at,
            max(case when delta_id = '00000000-0000-4000-8000-000000000001' and event = 'intent' then page end) as intent_page,
            max(case when delta_id = '00000000-0000-4000-8000-000000000001' and event = 'ended' then page end) as ended_page,
            max(case when event = 'ended' then 1 else 0 end) as has_ended,
            case
                when max(case when event in ('ended', 'released') then recorded_at end) is null then 0
                when max(case when event in ('ended', 'released') then recorded_at end) < max(case when event = 'claimed' then recorded_at end) then 0
                else 1
            end as is_over,
            case when max(recorded_at) > cast(now() at time zone 'UTC' as timestamp) - interval '90 seconds' then 1 else 0 end as is_heard,
            max(case when delta_id = '00000000-0000-4000-8000-000000000001' and event = 'checkpoint' then key end) as settled_key
        from "shop"."marts"."batch_sync_journal"
        where sync = 'people' and event in ('claimed', 'beat', 'intent', 'checkpoint', 'released', 'ended')
            and (delta_id = '00000000-0000-4000-8000-000000000001' or recorded_at > cast(now() at time zone 'UTC' as timestamp) - interval '90 seconds')
        group by run_id
        order by 2, 3;
select recorded_at, merged_delta_id from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'merged' order by recorded_at desc limit 1;
select 1 from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'ended' and delta_id = '00000000-0000-4000-8000-000000000001' limit 1;
select cast(now() at time zone 'UTC' as timestamp) as now_at;
select min("batch__time") as oldest from "shop"."marts"."people_sent_snapshot" where "_batch_doubt" is null;
delete from "shop"."marts"."people_sent_snapshot" where "batch__time" < cast('2024-04-29 06:08:09' as TIMESTAMP) and "_batch_doubt" is null;
update "shop"."marts"."batch_sync_rejects" set resolved_at = cast(now() at time zone 'UTC' as timestamp) where sync = 'people' and resolved_at is null and rejected_at < cast('2024-04-29 06:08:09' as timestamp);
select key from "shop"."marts"."batch_sync_journal" where event = 'asked' limit 1;
select 1 from "shop"."marts"."people_sent_snapshot" where "_batch_delta_id" in ('00000000-0000-4000-8000-000000000001') limit 1;
insert into "shop"."marts"."batch_sync_journal" (recorded_at, sync, event, delta_id, merged_delta_id, answered, request)
    select cast(now() at time zone 'UTC' as timestamp), cast('people' as VARCHAR), cast('merged' as VARCHAR), cast('00000000-0000-4000-8000-000000000002' as VARCHAR), cast('00000000-0000-4000-8000-000000000001' as VARCHAR), cast('' as VARCHAR), cast('first' as VARCHAR);

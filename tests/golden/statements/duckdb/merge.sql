select delta_id, attribute_types, former_types, recorded_at, inserts + updates + exits + invalid + parked as built_rows from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'built' order by recorded_at desc limit 1;
select count(*) as delta_rows, max("_batch_delta_id") as delta_id from "shop"."marts"."people_delta";
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
select 1 from "shop"."marts"."people_sent_snapshot" where "_batch_delta_id" in ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000001') limit 1;
insert into "shop"."marts"."people_sent_snapshot" ("custom_id", "batch__email_marketing", "nick", "tags", "_batch_sent_at", "_batch_run_id", "_batch_delta_id", "_batch_exited_at", "_batch_doubt", "_batch_opted_out")
            select
                d."custom_id",
                d."batch__email_marketing",
                d."nick",
                d."tags",
                cast('2024-05-05 01:02:03' as timestamp),
                cast('run-1' as VARCHAR),
                cast('00000000-0000-4000-8000-000000000001' as VARCHAR),
                case when d."_batch_change" = 'exit' then coalesce(s."_batch_exited_at", cast('2024-05-05 01:02:03' as timestamp)) end,
                cast(nullif(case when s."_batch_doubt" is not null then case when
    position(',batch__email_marketing,' in coalesce(s."_batch_doubt", '')) > 0 and not
    position(',batch__email_marketing,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(s."_batch_doubt", '')) > 0 and not
    position(',nick,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(s."_batch_doubt", '')) > 0 and not
    position(',tags,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',tags,' else '' end else '' end, '') as VARCHAR),
                cast(nullif(case when
    position(',batch__email_marketing,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 and d."batch__email_marketing" = false then ',batch__email_marketing,' when
    position(',batch__email_marketing,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 and d."batch__email_marketing" = true then '' when
    position(',batch__email_marketing,' in coalesce(s."_batch_opted_out", '')) > 0 then ',batch__email_marketing,' else '' end || case  when
    position(',batch__sms_marketing,' in coalesce(s."_batch_opted_out", '')) > 0 then ',batch__sms_marketing,' else '' end, '') as VARCHAR)
            from (select
        d.*,
        case when (d."_batch_page" <= 4) and r.row_id is null then 1 else 0 end as _batch_settled
    from (select * from "shop"."marts"."people_delta") as d
    left join (
        select key as row_id, max(case run_id when cast('run-1' as VARCHAR) then 4 else -1 end) as reached
        from "shop"."marts"."batch_sync_rejects"
        where sync = 'people' and delta_id = '00000000-0000-4000-8000-000000000001' and attribute is null
        group by key
    ) as r on r.row_id = d."custom_id" and d."_batch_page" <= r.reached
    where d."_batch_change" <> 'invalid'
        and (
            ((d."_batch_page" <= 4) and r.row_id is null)
        )) as d
            left join "shop"."marts"."people_sent_snapshot" as s on s."custom_id" = d."custom_id"
            where d._batch_settled = 1 and (s."_batch_delta_id" is null or s."_batch_delta_id" <> cast('00000000-0000-4000-8000-000000000001' as VARCHAR));
delete from "shop"."marts"."people_sent_snapshot"
            where ("_batch_delta_id" is null or "_batch_delta_id" <> cast('00000000-0000-4000-8000-000000000001' as VARCHAR))
                and "custom_id" in (select d."custom_id" from (select
        d.*,
        case when (d."_batch_page" <= 4) and r.row_id is null then 1 else 0 end as _batch_settled
    from (select * from "shop"."marts"."people_delta") as d
    left join (
        select key as row_id, max(case run_id when cast('run-1' as VARCHAR) then 4 else -1 end) as reached
        from "shop"."marts"."batch_sync_rejects"
        where sync = 'people' and delta_id = '00000000-0000-4000-8000-000000000001' and attribute is null
        group by key
    ) as r on r.row_id = d."custom_id" and d."_batch_page" <= r.reached
    where d."_batch_change" <> 'invalid'
        and (
            ((d."_batch_page" <= 4) and r.row_id is null)
        )) as d where d._batch_settled = 1);
select 1 from "shop"."marts"."batch_sync_rejects" where sync = 'people' and resolved_at is null limit 1;
merge into "shop"."marts"."batch_sync_rejects" as o
    using (
            select
                r.row_id,
                coalesce(r.attribute, '') as attribute,
                r.delta_id,
                case when (r.delta_id = '00000000-0000-4000-8000-000000000001' and d."_batch_page" <= r.reached) then md5(cast(coalesce(cast(length(cast(d."batch__email_marketing" as VARCHAR)) as VARCHAR) || ':' || cast(d."batch__email_marketing" as VARCHAR), '-') || coalesce(cast(length(cast(d."nick" as VARCHAR)) as VARCHAR) || ':' || cast(d."nick" as VARCHAR), '-') || coalesce(cast(length(cast(d."tags" as VARCHAR)) as VARCHAR) || ':' || cast(d."tags" as VARCHAR), '-') as TEXT)) end as row_hash,
                case when (r.delta_id = '00000000-0000-4000-8000-000000000001' and d."_batch_page" <= r.reached) then 0 else 1 end as is_over
            from (
                select key as row_id, attribute, delta_id, max(case run_id when cast('run-1' as VARCHAR) then 4 else -1 end) as reached
                from "shop"."marts"."batch_sync_rejects"
                where sync = 'people' and resolved_at is null
                group by key, attribute, delta_id
            ) as r
            inner join "shop"."marts"."people_delta" as d on d."custom_id" = r.row_id
            where d."_batch_change" <> 'invalid' and (d."_batch_page" <= 4)
                and (
                    r.attribute is null
                    or (r.delta_id = '00000000-0000-4000-8000-000000000001' and not (r.delta_id = '00000000-0000-4000-8000-000000000001' and d."_batch_page" <= r.reached))
                    or (not r.delta_id = '00000000-0000-4000-8000-000000000001' and
    position(',' || r.attribute || ',' in ',' || d."_batch_changed" || ',') > 0)
                )
        ) as n
    on o.key = n.row_id and coalesce(o.attribute, '') = n.attribute and o.delta_id = n.delta_id and o.sync = 'people' and o.resolved_at is null
    when matched then update set
        sent_hash = coalesce(n.row_hash, o.sent_hash),
        resolved_at = case when n.is_over = 1 then cast(now() at time zone 'UTC' as timestamp) end;
select
            run_id,
            max(request) as request,
            max(case when event = 'doubt' then 1 else 0 end) as has_doubt,
            case when max(case when event = 'ended' then 1 else 0 end) = 0 and max(recorded_at) > cast(now() at time zone 'UTC' as timestamp) - interval '90 seconds' then 1 else 0 end as goes_on
        from "shop"."marts"."batch_sync_journal"
        where sync = 'people' and event in ('resend', 'doubt', 'ended')
        group by run_id
        having max(case when event = 'ended' then 0 else 1 end) = 1;
select key from "shop"."marts"."batch_sync_journal" where event = 'asked' limit 1;
select 1 from "shop"."marts"."people_sent_snapshot" where "_batch_delta_id" in ('00000000-0000-4000-8000-000000000001') limit 1;
insert into "shop"."marts"."batch_sync_journal" (recorded_at, sync, event, delta_id, merged_delta_id, answered, request)
    select cast(now() at time zone 'UTC' as timestamp), cast('people' as VARCHAR), cast('merged' as VARCHAR), cast('00000000-0000-4000-8000-000000000002' as VARCHAR), cast('00000000-0000-4000-8000-000000000001' as VARCHAR), cast('' as VARCHAR), cast(null as VARCHAR);

select
            run_id,
            max(request) as request,
            max(case when event = 'doubt' then 1 else 0 end) as has_doubt,
            case when max(case when event = 'ended' then 1 else 0 end) = 0 and max(recorded_at) > cast(now() at time zone 'UTC' as timestamp) - interval '90 seconds' then 1 else 0 end as goes_on
        from "shop"."marts"."batch_sync_journal"
        where sync = 'people' and event in ('resend', 'doubt', 'ended')
        group by run_id
        having max(case when event = 'ended' then 0 else 1 end) = 1;
select answered from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'merged' and answered <> '';
merge into "shop"."marts"."people_sent_snapshot" as s
        using (select key as row_id, max(case when
    position(',batch__email_marketing,' in coalesce(',' || names || ',', '')) > 0 then ',batch__email_marketing,' else '' end) || max(case when
    position(',nick,' in coalesce(',' || names || ',', '')) > 0 then ',nick,' else '' end) || max(case when
    position(',tags,' in coalesce(',' || names || ',', '')) > 0 then ',tags,' else '' end) as names from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'doubt' and run_id in ('run-1') group by key) as d
        on s."custom_id" = d.row_id
        when matched then update set "_batch_doubt" = case when
    position(',batch__email_marketing,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',tags,' else '' end
        when not matched then insert ("custom_id", "_batch_doubt") values (d.row_id, d.names);

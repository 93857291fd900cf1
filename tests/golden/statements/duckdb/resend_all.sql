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
update "shop"."marts"."people_sent_snapshot" set "_batch_doubt" = nullif(case when
    position(',batch__email_marketing,' in coalesce("_batch_doubt", '')) > 0 or "batch__email_marketing" is not null then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce("_batch_doubt", '')) > 0 or "nick" is not null then ',nick,' else '' end || ',tags,', '') where "_batch_exited_at" is null;
select distinct attribute from "shop"."marts"."batch_sync_rejects" where sync = 'people' and resolved_at is null and attribute is not null;
merge into "shop"."marts"."people_sent_snapshot" as s
        using (select key as row_id, max(case when attribute = 'nick' then ',nick,' else '' end) as names from "shop"."marts"."batch_sync_rejects" where sync = 'people' and resolved_at is null and attribute is not null group by key) as d
        on s."custom_id" = d.row_id
        when matched then update set "_batch_doubt" = case when
    position(',batch__email_marketing,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',tags,' else '' end;
update "shop"."marts"."batch_sync_rejects" set sent_hash = null where sync = 'people' and resolved_at is null and attribute is null and sent_hash is not null;

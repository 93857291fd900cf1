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
        using (select * from (select r.key as row_id, max(case when (r.attribute = 'batch__email_marketing' or (r.attribute is null and s."batch__email_marketing" is not null)) then ',batch__email_marketing,' else '' end) || max(case when (r.attribute = 'nick' or (r.attribute is null and s."nick" is not null)) then ',nick,' else '' end) || max(case when (r.attribute = 'tags' or (r.attribute is null and s."tags" is not null)) then ',tags,' else '' end) as names
            from (
                select key, attribute
                from "shop"."marts"."batch_sync_drift"
                where sync = 'people' and audit_id = 'audit-1' and difference <> 'unknown_profile' and difference <> 'unexpected_value'
            ) as r
            inner join "shop"."marts"."people_sent_snapshot" as s on s."custom_id" = r.key
            group by r.key) as differing where names <> '') as d
        on s."custom_id" = d.row_id
        when matched then update set "_batch_doubt" = case when
    position(',batch__email_marketing,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',tags,' else '' end;

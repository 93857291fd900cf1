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
        case when (d."_batch_page" <= 4 or (d."_batch_page" = 5 and d."custom_id" <= 'o''hara\7')) and r.row_id is null then 1 else 0 end as _batch_settled
    from (select * from "shop"."marts"."people_delta") as d
    left join (
        select key as row_id, max(case run_id when cast('run-1' as VARCHAR) then 5 else -1 end) as reached
        from "shop"."marts"."batch_sync_rejects"
        where sync = 'people' and delta_id = '00000000-0000-4000-8000-000000000001' and attribute is null
        group by key
    ) as r on r.row_id = d."custom_id" and d."_batch_page" <= r.reached
    where d."_batch_change" <> 'invalid'
        and (
            ((d."_batch_page" <= 4 or (d."_batch_page" = 5 and d."custom_id" <= 'o''hara\7')) and r.row_id is null)
        )) as d
            left join "shop"."marts"."people_sent_snapshot" as s on s."custom_id" = d."custom_id"
            where d._batch_settled = 1 and (s."_batch_delta_id" is null or s."_batch_delta_id" <> cast('00000000-0000-4000-8000-000000000001' as VARCHAR));
delete from "shop"."marts"."people_sent_snapshot"
            where ("_batch_delta_id" is null or "_batch_delta_id" <> cast('00000000-0000-4000-8000-000000000001' as VARCHAR))
                and "custom_id" in (select d."custom_id" from (select
        d.*,
        case when (d."_batch_page" <= 4 or (d."_batch_page" = 5 and d."custom_id" <= 'o''hara\7')) and r.row_id is null then 1 else 0 end as _batch_settled
    from (select * from "shop"."marts"."people_delta") as d
    left join (
        select key as row_id, max(case run_id when cast('run-1' as VARCHAR) then 5 else -1 end) as reached
        from "shop"."marts"."batch_sync_rejects"
        where sync = 'people' and delta_id = '00000000-0000-4000-8000-000000000001' and attribute is null
        group by key
    ) as r on r.row_id = d."custom_id" and d."_batch_page" <= r.reached
    where d."_batch_change" <> 'invalid'
        and (
            ((d."_batch_page" <= 4 or (d."_batch_page" = 5 and d."custom_id" <= 'o''hara\7')) and r.row_id is null)
        )) as d where d._batch_settled = 1);

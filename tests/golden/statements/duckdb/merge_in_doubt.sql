insert into "shop"."marts"."people_sent_snapshot" ("custom_id", "batch__email_marketing", "nick", "tags", "_batch_sent_at", "_batch_run_id", "_batch_delta_id", "_batch_exited_at", "_batch_doubt", "_batch_opted_out")
            select
                d."custom_id",
                d."batch__email_marketing",
                d."nick",
                d."tags",
                case when d."_batch_page" <= 4 then cast('2024-05-05 01:02:03' as timestamp) else cast('2024-05-05 01:02:03' as timestamp) end,
                case when d."_batch_page" <= 4 then cast('run-1' as VARCHAR) else cast('run-2' as VARCHAR) end,
                cast('00000000-0000-4000-8000-000000000001' as VARCHAR),
                case when d."_batch_change" = 'exit' then coalesce(s."_batch_exited_at", case when d."_batch_page" <= 4 then cast('2024-05-05 01:02:03' as timestamp) else cast('2024-05-05 01:02:03' as timestamp) end) end,
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
        case when (d."_batch_page" <= 7) and r.row_id is null then 1 else 0 end as _batch_settled
    from (select * from "shop"."marts"."people_delta") as d
    left join (
        select key as row_id, max(case run_id when cast('run-1' as VARCHAR) then 4 when cast('run-2' as VARCHAR) then 7 else -1 end) as reached
        from "shop"."marts"."batch_sync_rejects"
        where sync = 'people' and delta_id = '00000000-0000-4000-8000-000000000001' and attribute is null
        group by key
    ) as r on r.row_id = d."custom_id" and d."_batch_page" <= r.reached
    where d."_batch_change" <> 'invalid'
        and (
            ((d."_batch_page" <= 7) and r.row_id is null)
            or (d."_batch_page" <= 9 and not (d."_batch_page" <= 7) and d."_batch_changed" <> '')
        )) as d
            left join "shop"."marts"."people_sent_snapshot" as s on s."custom_id" = d."custom_id"
            where d._batch_settled = 1 and (s."_batch_delta_id" is null or s."_batch_delta_id" <> cast('00000000-0000-4000-8000-000000000001' as VARCHAR));
delete from "shop"."marts"."people_sent_snapshot"
            where ("_batch_delta_id" is null or "_batch_delta_id" <> cast('00000000-0000-4000-8000-000000000001' as VARCHAR))
                and "custom_id" in (select d."custom_id" from (select
        d.*,
        case when (d."_batch_page" <= 7) and r.row_id is null then 1 else 0 end as _batch_settled
    from (select * from "shop"."marts"."people_delta") as d
    left join (
        select key as row_id, max(case run_id when cast('run-1' as VARCHAR) then 4 when cast('run-2' as VARCHAR) then 7 else -1 end) as reached
        from "shop"."marts"."batch_sync_rejects"
        where sync = 'people' and delta_id = '00000000-0000-4000-8000-000000000001' and attribute is null
        group by key
    ) as r on r.row_id = d."custom_id" and d."_batch_page" <= r.reached
    where d."_batch_change" <> 'invalid'
        and (
            ((d."_batch_page" <= 7) and r.row_id is null)
            or (d."_batch_page" <= 9 and not (d."_batch_page" <= 7) and d."_batch_changed" <> '')
        )) as d where d._batch_settled = 1);
update "shop"."marts"."people_sent_snapshot"
            set "_batch_doubt" = d.doubt, "_batch_opted_out" = d.memory
            from (
                select s."custom_id", case when
    position(',batch__email_marketing,' in coalesce(coalesce(s."_batch_doubt", '') || ',' || replace(d."_batch_changed", ',', ',,') || ',', '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(coalesce(s."_batch_doubt", '') || ',' || replace(d."_batch_changed", ',', ',,') || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(coalesce(s."_batch_doubt", '') || ',' || replace(d."_batch_changed", ',', ',,') || ',', '')) > 0 then ',tags,' else '' end as doubt, cast(nullif(case when
    position(',batch__email_marketing,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 and d."batch__email_marketing" = false then ',batch__email_marketing,' when
    position(',batch__email_marketing,' in coalesce(s."_batch_opted_out", '')) > 0 then ',batch__email_marketing,' else '' end || case  when
    position(',batch__sms_marketing,' in coalesce(s."_batch_opted_out", '')) > 0 then ',batch__sms_marketing,' else '' end, '') as VARCHAR) as memory
                from (select * from (select
        d.*,
        case when (d."_batch_page" <= 7) and r.row_id is null then 1 else 0 end as _batch_settled
    from (select * from "shop"."marts"."people_delta") as d
    left join (
        select key as row_id, max(case run_id when cast('run-1' as VARCHAR) then 4 when cast('run-2' as VARCHAR) then 7 else -1 end) as reached
        from "shop"."marts"."batch_sync_rejects"
        where sync = 'people' and delta_id = '00000000-0000-4000-8000-000000000001' and attribute is null
        group by key
    ) as r on r.row_id = d."custom_id" and d."_batch_page" <= r.reached
    where d."_batch_change" <> 'invalid'
        and (
            ((d."_batch_page" <= 7) and r.row_id is null)
            or (d."_batch_page" <= 9 and not (d."_batch_page" <= 7) and d."_batch_changed" <> '')
        )) as sent where sent._batch_settled = 0) as d
                inner join "shop"."marts"."people_sent_snapshot" as s on s."custom_id" = d."custom_id"
            ) as d
            where "shop"."marts"."people_sent_snapshot"."custom_id" = d."custom_id";
insert into "shop"."marts"."people_sent_snapshot" ("custom_id", "_batch_doubt", "_batch_opted_out")
            select d."custom_id", case when
    position(',batch__email_marketing,' in coalesce(coalesce(s."_batch_doubt", '') || ',' || replace(d."_batch_changed", ',', ',,') || ',', '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(coalesce(s."_batch_doubt", '') || ',' || replace(d."_batch_changed", ',', ',,') || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(coalesce(s."_batch_doubt", '') || ',' || replace(d."_batch_changed", ',', ',,') || ',', '')) > 0 then ',tags,' else '' end, cast(nullif(case when
    position(',batch__email_marketing,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 and d."batch__email_marketing" = false then ',batch__email_marketing,' when
    position(',batch__email_marketing,' in coalesce(s."_batch_opted_out", '')) > 0 then ',batch__email_marketing,' else '' end || case  when
    position(',batch__sms_marketing,' in coalesce(s."_batch_opted_out", '')) > 0 then ',batch__sms_marketing,' else '' end, '') as VARCHAR)
            from (select * from (select
        d.*,
        case when (d."_batch_page" <= 7) and r.row_id is null then 1 else 0 end as _batch_settled
    from (select * from "shop"."marts"."people_delta") as d
    left join (
        select key as row_id, max(case run_id when cast('run-1' as VARCHAR) then 4 when cast('run-2' as VARCHAR) then 7 else -1 end) as reached
        from "shop"."marts"."batch_sync_rejects"
        where sync = 'people' and delta_id = '00000000-0000-4000-8000-000000000001' and attribute is null
        group by key
    ) as r on r.row_id = d."custom_id" and d."_batch_page" <= r.reached
    where d."_batch_change" <> 'invalid'
        and (
            ((d."_batch_page" <= 7) and r.row_id is null)
            or (d."_batch_page" <= 9 and not (d."_batch_page" <= 7) and d."_batch_changed" <> '')
        )) as sent where sent._batch_settled = 0) as d
            left join "shop"."marts"."people_sent_snapshot" as s on s."custom_id" = d."custom_id"
            where s."custom_id" is null;

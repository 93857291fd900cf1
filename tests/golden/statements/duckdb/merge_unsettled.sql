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
        case when (d."_batch_page" <= -1) and r.row_id is null then 1 else 0 end as _batch_settled
    from (select * from "shop"."marts"."people_delta") as d
    left join (
        select key as row_id, -1 as reached
        from "shop"."marts"."batch_sync_rejects"
        where sync = 'people' and delta_id = '00000000-0000-4000-8000-000000000001' and attribute is null
        group by key
    ) as r on r.row_id = d."custom_id" and d."_batch_page" <= r.reached
    where d."_batch_change" <> 'invalid'
        and (
            ((d."_batch_page" <= -1) and r.row_id is null)
            or (d."_batch_page" <= 4 and not (d."_batch_page" <= -1) and d."_batch_changed" <> '')
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
        case when (d."_batch_page" <= -1) and r.row_id is null then 1 else 0 end as _batch_settled
    from (select * from "shop"."marts"."people_delta") as d
    left join (
        select key as row_id, -1 as reached
        from "shop"."marts"."batch_sync_rejects"
        where sync = 'people' and delta_id = '00000000-0000-4000-8000-000000000001' and attribute is null
        group by key
    ) as r on r.row_id = d."custom_id" and d."_batch_page" <= r.reached
    where d."_batch_change" <> 'invalid'
        and (
            ((d."_batch_page" <= -1) and r.row_id is null)
            or (d."_batch_page" <= 4 and not (d."_batch_page" <= -1) and d."_batch_changed" <> '')
        )) as sent where sent._batch_settled = 0) as d
            left join "shop"."marts"."people_sent_snapshot" as s on s."custom_id" = d."custom_id"
            where s."custom_id" is null;

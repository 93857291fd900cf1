-- as on DuckDB (10 lines)
update "shop"."marts"."people_sent_snapshot"
        set "_batch_doubt" = d.doubt
        from (
            select s."custom_id" as row_id, case when
    position(',batch__email_marketing,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',tags,' else '' end as doubt
            from (select * from (select r.key as row_id, max(case when (r.attribute = 'batch__email_marketing' or (r.attribute is null and s."batch__email_marketing" is not null)) and (s."batch__email_marketing" is null or not s."batch__email_marketing" = true) then ',batch__email_marketing,' else '' end) || max(case when (r.attribute = 'nick' or (r.attribute is null and s."nick" is not null)) then ',nick,' else '' end) || max(case when (r.attribute = 'tags' or (r.attribute is null and s."tags" is not null)) then ',tags,' else '' end) as names
-- as on DuckDB (7 lines)
            inner join "shop"."marts"."people_sent_snapshot" as s on s."custom_id" = d.row_id
        ) as d
        where "shop"."marts"."people_sent_snapshot"."custom_id" = d.row_id;

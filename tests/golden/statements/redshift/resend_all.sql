-- as on DuckDB (14 lines)
update "shop"."marts"."people_sent_snapshot"
        set "_batch_doubt" = d.doubt
        from (
            select s."custom_id" as row_id, case when
-- as on DuckDB (2 lines)
    position(',tags,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',tags,' else '' end as doubt
            from (select key as row_id, max(case when attribute = 'nick' then ',nick,' else '' end) as names from "shop"."marts"."batch_sync_rejects" where sync = 'people' and resolved_at is null and attribute is not null group by key) as d
            inner join "shop"."marts"."people_sent_snapshot" as s on s."custom_id" = d.row_id
        ) as d
        where "shop"."marts"."people_sent_snapshot"."custom_id" = d.row_id;
-- as on DuckDB (1 lines)

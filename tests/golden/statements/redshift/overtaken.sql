-- as on DuckDB (10 lines)
update "shop"."marts"."people_sent_snapshot"
        set "_batch_doubt" = d.doubt
        from (
            select s."custom_id" as row_id, case when
    position(',batch__email_marketing,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(coalesce(s."_batch_doubt", '') || d.names, '')) > 0 then ',tags,' else '' end as doubt
            from (select key as row_id, max(case when
-- as on DuckDB (3 lines)
            inner join "shop"."marts"."people_sent_snapshot" as s on s."custom_id" = d.row_id
        ) as d
        where "shop"."marts"."people_sent_snapshot"."custom_id" = d.row_id;
insert into "shop"."marts"."people_sent_snapshot" ("custom_id", "_batch_doubt")
        select d.row_id, d.names
        from (select key as row_id, max(case when
    position(',batch__email_marketing,' in coalesce(',' || names || ',', '')) > 0 then ',batch__email_marketing,' else '' end) || max(case when
    position(',nick,' in coalesce(',' || names || ',', '')) > 0 then ',nick,' else '' end) || max(case when
    position(',tags,' in coalesce(',' || names || ',', '')) > 0 then ',tags,' else '' end) as names from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'doubt' and run_id in ('run-1') group by key) as d
        left join "shop"."marts"."people_sent_snapshot" as s on s."custom_id" = d.row_id
        where s."custom_id" is null;

analyze "shop"."marts"."batch_sync_rejects";
merge into "shop"."marts"."people_sent_snapshot" as s
        using (select
-- as on DuckDB (13 lines)
        )) as d
        on s."custom_id" = d."custom_id"
        when matched and d._batch_settled = 0 then update set
            "_batch_doubt" = case when
-- as on DuckDB (2 lines)
    position(',tags,' in coalesce(coalesce(s."_batch_doubt", '') || ',' || replace(d."_batch_changed", ',', ',,') || ',', '')) > 0 then ',tags,' else '' end,
            "_batch_opted_out" = cast(nullif(case when
-- as on DuckDB (3 lines)
        when not matched and d._batch_settled = 0 then insert ("custom_id", "_batch_doubt", "_batch_opted_out")
            values (d."custom_id", case when
    position(',batch__email_marketing,' in coalesce(coalesce(null, '') || ',' || replace(d."_batch_changed", ',', ',,') || ',', '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(coalesce(null, '') || ',' || replace(d."_batch_changed", ',', ',,') || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(coalesce(null, '') || ',' || replace(d."_batch_changed", ',', ',,') || ',', '')) > 0 then ',tags,' else '' end, cast(nullif(case when
    position(',batch__email_marketing,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 and d."batch__email_marketing" = false then ',batch__email_marketing,' when
    position(',batch__email_marketing,' in coalesce(null, '')) > 0 then ',batch__email_marketing,' else '' end || case  when
    position(',batch__sms_marketing,' in coalesce(null, '')) > 0 then ',batch__sms_marketing,' else '' end, '') as text));

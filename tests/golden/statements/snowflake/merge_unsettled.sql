merge into shop.marts.people_sent_snapshot as s
        using (select
-- as on DuckDB (13 lines)
        )) as d
        on s."CUSTOM_ID" = d."CUSTOM_ID"
        when matched and d._batch_settled = 0 then update set
            "_BATCH_DOUBT" = case when
-- as on DuckDB (2 lines)
    position(',tags,' in coalesce(coalesce(s."_BATCH_DOUBT", '') || ',' || replace(d."_BATCH_CHANGED", ',', ',,') || ',', '')) > 0 then ',tags,' else '' end,
            "_BATCH_OPTED_OUT" = cast(nullif(case when
-- as on DuckDB (3 lines)
        when not matched and d._batch_settled = 0 then insert ("CUSTOM_ID", "_BATCH_DOUBT", "_BATCH_OPTED_OUT")
            values (d."CUSTOM_ID", case when
    position(',batch__email_marketing,' in coalesce(coalesce(null, '') || ',' || replace(d."_BATCH_CHANGED", ',', ',,') || ',', '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(coalesce(null, '') || ',' || replace(d."_BATCH_CHANGED", ',', ',,') || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(coalesce(null, '') || ',' || replace(d."_BATCH_CHANGED", ',', ',,') || ',', '')) > 0 then ',tags,' else '' end, cast(nullif(case when
    position(',batch__email_marketing,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 and d."BATCH__EMAIL_MARKETING" = false then ',batch__email_marketing,' when
    position(',batch__email_marketing,' in coalesce(null, '')) > 0 then ',batch__email_marketing,' else '' end || case  when
    position(',batch__sms_marketing,' in coalesce(null, '')) > 0 then ',batch__sms_marketing,' else '' end, '') as VARCHAR));

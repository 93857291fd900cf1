-- as on DuckDB (23 lines)
merge into shop.marts.people_sent_snapshot as s
        using (select
-- as on DuckDB (13 lines)
        on s."CUSTOM_ID" = d."CUSTOM_ID"
        when matched and d._batch_settled = 1 then update set
            "BATCH__EMAIL_MARKETING" = d."BATCH__EMAIL_MARKETING",
            "NICK" = d."NICK",
            "TAGS" = d."TAGS",
            "_BATCH_SENT_AT" = cast('2024-05-05 01:02:03' as TIMESTAMP_NTZ(6)),
            "_BATCH_RUN_ID" = cast('run-1' as VARCHAR),
            "_BATCH_DELTA_ID" = cast('00000000-0000-4000-8000-000000000001' as VARCHAR),
            "_BATCH_EXITED_AT" = case when d."_BATCH_CHANGE" = 'exit' then coalesce(s."_BATCH_EXITED_AT", cast('2024-05-05 01:02:03' as TIMESTAMP_NTZ(6))) end,
            "_BATCH_DOUBT" = cast(nullif(case when s."_BATCH_DOUBT" is not null then case when
    position(',batch__email_marketing,' in coalesce(s."_BATCH_DOUBT", '')) > 0 and not
    position(',batch__email_marketing,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(s."_BATCH_DOUBT", '')) > 0 and not
    position(',nick,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(s."_BATCH_DOUBT", '')) > 0 and not
    position(',tags,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',tags,' else '' end else '' end, '') as VARCHAR),
            "_BATCH_OPTED_OUT" = cast(nullif(case when
    position(',batch__email_marketing,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 and d."BATCH__EMAIL_MARKETING" = false then ',batch__email_marketing,' when
    position(',batch__email_marketing,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 and d."BATCH__EMAIL_MARKETING" = true then '' when
    position(',batch__email_marketing,' in coalesce(s."_BATCH_OPTED_OUT", '')) > 0 then ',batch__email_marketing,' else '' end || case  when
    position(',batch__sms_marketing,' in coalesce(s."_BATCH_OPTED_OUT", '')) > 0 then ',batch__sms_marketing,' else '' end, '') as VARCHAR)
        when not matched and d._batch_settled = 1 then insert ("CUSTOM_ID", "BATCH__EMAIL_MARKETING", "NICK", "TAGS", "_BATCH_SENT_AT", "_BATCH_RUN_ID", "_BATCH_DELTA_ID", "_BATCH_EXITED_AT", "_BATCH_DOUBT", "_BATCH_OPTED_OUT") values (d."CUSTOM_ID", d."BATCH__EMAIL_MARKETING", d."NICK", d."TAGS", cast('2024-05-05 01:02:03' as TIMESTAMP_NTZ(6)), cast('run-1' as VARCHAR), cast('00000000-0000-4000-8000-000000000001' as VARCHAR), case when d."_BATCH_CHANGE" = 'exit' then coalesce(null, cast('2024-05-05 01:02:03' as TIMESTAMP_NTZ(6))) end, cast(nullif(case when null is not null then case when
    position(',batch__email_marketing,' in coalesce(null, '')) > 0 and not
    position(',batch__email_marketing,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(null, '')) > 0 and not
    position(',nick,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(null, '')) > 0 and not
    position(',tags,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',tags,' else '' end else '' end, '') as VARCHAR), cast(nullif(case when
    position(',batch__email_marketing,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 and d."BATCH__EMAIL_MARKETING" = false then ',batch__email_marketing,' when
    position(',batch__email_marketing,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 and d."BATCH__EMAIL_MARKETING" = true then '' when
    position(',batch__email_marketing,' in coalesce(null, '')) > 0 then ',batch__email_marketing,' else '' end || case  when
    position(',batch__sms_marketing,' in coalesce(null, '')) > 0 then ',batch__sms_marketing,' else '' end, '') as VARCHAR));
-- as on DuckDB (41 lines)

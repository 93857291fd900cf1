-- as on DuckDB (23 lines)
analyze "shop"."marts"."batch_sync_rejects";
merge into "shop"."marts"."people_sent_snapshot" as s
        using (select
-- as on DuckDB (13 lines)
        on s."custom_id" = d."custom_id"
        when matched and d._batch_settled = 1 then update set
            "batch__email_marketing" = d."batch__email_marketing",
            "nick" = d."nick",
            "tags" = d."tags",
            "_batch_sent_at" = cast('2024-05-05 01:02:03' as timestamp),
            "_batch_run_id" = cast('run-1' as text),
            "_batch_delta_id" = cast('00000000-0000-4000-8000-000000000001' as text),
            "_batch_exited_at" = case when d."_batch_change" = 'exit' then coalesce(s."_batch_exited_at", cast('2024-05-05 01:02:03' as timestamp)) end,
            "_batch_doubt" = cast(nullif(case when s."_batch_doubt" is not null then case when
    position(',batch__email_marketing,' in coalesce(s."_batch_doubt", '')) > 0 and not
    position(',batch__email_marketing,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(s."_batch_doubt", '')) > 0 and not
    position(',nick,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(s."_batch_doubt", '')) > 0 and not
    position(',tags,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',tags,' else '' end else '' end, '') as text),
            "_batch_opted_out" = cast(nullif(case when
    position(',batch__email_marketing,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 and d."batch__email_marketing" = false then ',batch__email_marketing,' when
    position(',batch__email_marketing,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 and d."batch__email_marketing" = true then '' when
    position(',batch__email_marketing,' in coalesce(s."_batch_opted_out", '')) > 0 then ',batch__email_marketing,' else '' end || case  when
    position(',batch__sms_marketing,' in coalesce(s."_batch_opted_out", '')) > 0 then ',batch__sms_marketing,' else '' end, '') as text)
        when not matched and d._batch_settled = 1 then insert ("custom_id", "batch__email_marketing", "nick", "tags", "_batch_sent_at", "_batch_run_id", "_batch_delta_id", "_batch_exited_at", "_batch_doubt", "_batch_opted_out") values (d."custom_id", d."batch__email_marketing", d."nick", d."tags", cast('2024-05-05 01:02:03' as timestamp), cast('run-1' as text), cast('00000000-0000-4000-8000-000000000001' as text), case when d."_batch_change" = 'exit' then coalesce(null, cast('2024-05-05 01:02:03' as timestamp)) end, cast(nullif(case when null is not null then case when
    position(',batch__email_marketing,' in coalesce(null, '')) > 0 and not
    position(',batch__email_marketing,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(null, '')) > 0 and not
    position(',nick,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(null, '')) > 0 and not
    position(',tags,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',tags,' else '' end else '' end, '') as text), cast(nullif(case when
    position(',batch__email_marketing,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 and d."batch__email_marketing" = false then ',batch__email_marketing,' when
    position(',batch__email_marketing,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 and d."batch__email_marketing" = true then '' when
    position(',batch__email_marketing,' in coalesce(null, '')) > 0 then ',batch__email_marketing,' else '' end || case  when
    position(',batch__sms_marketing,' in coalesce(null, '')) > 0 then ',batch__sms_marketing,' else '' end, '') as text));
-- as on DuckDB (41 lines)

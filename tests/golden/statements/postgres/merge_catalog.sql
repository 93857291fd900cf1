analyze "shop"."marts"."batch_sync_rejects";
merge into "shop"."marts"."people_sent_snapshot" as s
        using (select
-- as on DuckDB (13 lines)
        on s."item_id" = d."item_id"
        when matched and d._batch_settled = 1 then update set
            "nick" = d."nick",
            "tags" = d."tags",
            "batch__present" = d."batch__present",
            "_batch_sent_at" = cast('2024-05-05 01:02:03' as timestamp),
            "_batch_run_id" = cast('run-1' as text),
            "_batch_delta_id" = cast('00000000-0000-4000-8000-000000000001' as text),
            "_batch_exited_at" = case when d."_batch_change" = 'exit' then coalesce(s."_batch_exited_at", cast('2024-05-05 01:02:03' as timestamp)) end,
            "_batch_doubt" = cast(nullif(case when s."_batch_doubt" is not null then case when
    position(',nick,' in coalesce(s."_batch_doubt", '')) > 0 and not
    position(',nick,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(s."_batch_doubt", '')) > 0 and not
    position(',tags,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',tags,' else '' end || case when
    position(',batch__present,' in coalesce(s."_batch_doubt", '')) > 0 and not
    position(',batch__present,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',batch__present,' else '' end else '' end, '') as text),
            "_batch_opted_out" = cast(s."_batch_opted_out" as text)
        when not matched and d._batch_settled = 1 then insert ("item_id", "nick", "tags", "batch__present", "_batch_sent_at", "_batch_run_id", "_batch_delta_id", "_batch_exited_at", "_batch_doubt", "_batch_opted_out") values (d."item_id", d."nick", d."tags", d."batch__present", cast('2024-05-05 01:02:03' as timestamp), cast('run-1' as text), cast('00000000-0000-4000-8000-000000000001' as text), case when d."_batch_change" = 'exit' then coalesce(null, cast('2024-05-05 01:02:03' as timestamp)) end, cast(nullif(case when null is not null then case when
    position(',nick,' in coalesce(null, '')) > 0 and not
    position(',nick,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(null, '')) > 0 and not
    position(',tags,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',tags,' else '' end || case when
    position(',batch__present,' in coalesce(null, '')) > 0 and not
    position(',batch__present,' in coalesce(',' || d."_batch_changed" || ',', '')) > 0 then ',batch__present,' else '' end else '' end, '') as text), cast(null as text));
-- as on DuckDB (29 lines)

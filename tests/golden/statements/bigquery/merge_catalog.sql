merge into `shop`.`marts`.`people_sent_snapshot` as s
        using (select
-- as on DuckDB (13 lines)
        on s.`item_id` = d.`item_id`
        when matched and d._batch_settled = 1 then update set
            `nick` = d.`nick`,
            `tags` = d.`tags`,
            `batch__present` = d.`batch__present`,
            `_batch_sent_at` = cast('''2024-05-05 01:02:03''' as DATETIME),
            `_batch_run_id` = cast('''run-1''' as STRING),
            `_batch_delta_id` = cast('''00000000-0000-4000-8000-000000000001''' as STRING),
            `_batch_exited_at` = case when d.`_batch_change` = 'exit' then coalesce(s.`_batch_exited_at`, cast('''2024-05-05 01:02:03''' as DATETIME)) end,
            `_batch_doubt` = cast(nullif(case when s.`_batch_doubt` is not null then case when strpos(coalesce(s.`_batch_doubt`, ''), ',nick,') > 0 and not strpos(coalesce(',' || d.`_batch_changed` || ',', ''), ',nick,') > 0 then ',nick,' else '' end || case when strpos(coalesce(s.`_batch_doubt`, ''), ',tags,') > 0 and not strpos(coalesce(',' || d.`_batch_changed` || ',', ''), ',tags,') > 0 then ',tags,' else '' end || case when strpos(coalesce(s.`_batch_doubt`, ''), ',batch__present,') > 0 and not strpos(coalesce(',' || d.`_batch_changed` || ',', ''), ',batch__present,') > 0 then ',batch__present,' else '' end else '' end, '') as STRING),
            `_batch_opted_out` = cast(s.`_batch_opted_out` as STRING)
        when not matched and d._batch_settled = 1 then insert (`item_id`, `nick`, `tags`, `batch__present`, `_batch_sent_at`, `_batch_run_id`, `_batch_delta_id`, `_batch_exited_at`, `_batch_doubt`, `_batch_opted_out`) values (d.`item_id`, d.`nick`, d.`tags`, d.`batch__present`, cast('''2024-05-05 01:02:03''' as DATETIME), cast('''run-1''' as STRING), cast('''00000000-0000-4000-8000-000000000001''' as STRING), case when d.`_batch_change` = 'exit' then coalesce(null, cast('''2024-05-05 01:02:03''' as DATETIME)) end, cast(nullif(case when null is not null then case when strpos(coalesce(null, ''), ',nick,') > 0 and not strpos(coalesce(',' || d.`_batch_changed` || ',', ''), ',nick,') > 0 then ',nick,' else '' end || case when strpos(coalesce(null, ''), ',tags,') > 0 and not strpos(coalesce(',' || d.`_batch_changed` || ',', ''), ',tags,') > 0 then ',tags,' else '' end || case when strpos(coalesce(null, ''), ',batch__present,') > 0 and not strpos(coalesce(',' || d.`_batch_changed` || ',', ''), ',batch__present,') > 0 then ',batch__present,' else '' end else '' end, '') as STRING), cast(null as STRING));
-- as on DuckDB (7 lines)
                case when (r.delta_id = '''00000000-0000-4000-8000-000000000001''' and d.`_batch_page` <= r.reached) then to_hex(md5(cast(coalesce(cast(length(cast(d.`batch__present` as STRING)) as STRING) || ':' || cast(d.`batch__present` as STRING), '-') || coalesce(cast(length(cast(d.`nick` as STRING)) as STRING) || ':' || cast(d.`nick` as STRING), '-') || coalesce(cast(length(cast(d.`tags` as STRING)) as STRING) || ':' || cast(d.`tags` as STRING), '-') as string))) end as row_hash,
-- as on DuckDB (12 lines)
                    or (not r.delta_id = '''00000000-0000-4000-8000-000000000001''' and strpos(',' || d.`_batch_changed` || ',', ',' || r.attribute || ',') > 0)
-- as on DuckDB (3 lines)
    on o.key = n.row_id and coalesce(o.attribute, '') = n.attribute and o.delta_id = n.delta_id and o.sync = '''people''' and o.resolved_at is null
-- as on DuckDB (3 lines)

-- as on DuckDB (10 lines)
update `shop`.`marts`.`people_sent_snapshot` set `_batch_doubt` = nullif(case when strpos(coalesce(`_batch_doubt`, ''), ',batch__email_marketing,') > 0 or `batch__email_marketing` is not null then ',batch__email_marketing,' else '' end || case when strpos(coalesce(`_batch_doubt`, ''), ',nick,') > 0 or `nick` is not null then ',nick,' else '' end || ',tags,', '') where `_batch_exited_at` is null;
-- as on DuckDB (2 lines)
        using (select key as row_id, max(case when attribute = 'nick' then ',nick,' else '' end) as names from `shop`.`marts`.`batch_sync_rejects` where sync = '''people''' and resolved_at is null and attribute is not null group by key) as d
-- as on DuckDB (1 lines)
        when matched then update set `_batch_doubt` = case when strpos(coalesce(coalesce(s.`_batch_doubt`, '') || d.names, ''), ',batch__email_marketing,') > 0 then ',batch__email_marketing,' else '' end || case when strpos(coalesce(coalesce(s.`_batch_doubt`, '') || d.names, ''), ',nick,') > 0 then ',nick,' else '' end || case when strpos(coalesce(coalesce(s.`_batch_doubt`, '') || d.names, ''), ',tags,') > 0 then ',tags,' else '' end;
-- as on DuckDB (1 lines)

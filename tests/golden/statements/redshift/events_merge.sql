-- as on DuckDB (41 lines)
select max(case when event = 'built' then recorded_at end), max(case when event = 'merged' then recorded_at end), max(case when event = 'merged' and merged_delta_id is not null then recorded_at end), max(case when event = 'merged' and request = 'all' then recorded_at end), max(case when event = 'merged' and merged_delta_id is not null and recorded_at > dateadd(second, -86400, cast(getdate() as timestamp)) then 1 else 0 end) from "shop"."marts"."batch_sync_journal" where sync = 'people' and event in ('built', 'merged');
-- as on DuckDB (43 lines)

-- as on DuckDB (10 lines)
delete from marts.batch_sync_journal where event not in ('asked', 'pending', 'done') and ((sync = 'people' and recorded_at < cast('2024-04-06 07:08:09Z' as timestamp)));
delete from marts.batch_sync_drift where (sync = 'people' and audited_at < cast('2024-04-06 07:08:09Z' as timestamp));
select count(*) from marts.batch_sync_rejects where resolved_at < cast('2024-04-06 07:08:09Z' as timestamp);
delete from marts.batch_sync_rejects where resolved_at < cast('2024-04-06 07:08:09Z' as timestamp);

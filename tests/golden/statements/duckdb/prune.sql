select cast(now() at time zone 'UTC' as timestamp) as now_at;
select
            sync,
            max(case when event = 'built' then recorded_at end) as built_at,
            max(case when event = 'intent' then recorded_at end) as intended_at,
            max(case when event = 'merged' then recorded_at end) as merged_at,
            min(recorded_at) as oldest,
            max(case when event = 'ended' then retention_days end) as retention_days
        from "shop"."marts"."batch_sync_journal"
        group by sync;
delete from "shop"."marts"."batch_sync_journal" where event not in ('asked', 'pending', 'done') and ((sync = 'people' and recorded_at < cast('2024-04-06 07:08:09' as timestamp)));
delete from "shop"."marts"."batch_sync_drift" where (sync = 'people' and audited_at < cast('2024-04-06 07:08:09' as timestamp));
select count(*) from "shop"."marts"."batch_sync_rejects" where resolved_at < cast('2024-04-06 07:08:09' as timestamp);
delete from "shop"."marts"."batch_sync_rejects" where resolved_at < cast('2024-04-06 07:08:09' as timestamp);

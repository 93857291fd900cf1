alter table "shop"."marts"."batch_sync_journal" add column
           "host" VARCHAR collate posix;
alter table "shop"."marts"."batch_sync_journal" add column
           "seconds" double;
create table if not exists "shop"."marts"."batch_sync_drift" (
        audited_at timestamp,
        sync VARCHAR collate posix,
        audit_id VARCHAR collate posix,
        key VARCHAR collate posix,
        attribute VARCHAR collate posix,
        difference VARCHAR collate posix
    );
create or replace view "shop"."marts"."batch_sync_runs" as select
        run_id,
        sync,
        case
            when max(case when event = 'ended' then 1 else 0 end) = 1 then max(case when event = 'ended' then status end)
            when max(recorded_at) > cast(now() at time zone 'UTC' as timestamp) - interval '60 seconds' then 'running'
            else 'failed'
        end as status,
        max(started_at) as started_at,
        max(case when event = 'ended' then recorded_at end) as finished_at,
        max(case when event in ('claimed', 'ended') then delta_id end) as delta_id,
        max(endpoint) as endpoint,
        max(output) as output,
        max(project_hash) as project_hash,
        max(mapping_hash) as mapping_hash,
        max(version) as version,
        max(target) as target,
        max(host) as host,
        max(process) as process,
        max(inserts) as inserts,
        max(updates) as updates,
        max(exits) as exits,
        max(invalid) as invalid,
        max(parked) as parked,
        max(unsure) as unsure,
        max(sent) as sent,
        max(accepted) as accepted,
        max(rejected_rows) as rejected_rows,
        max(rejected_attributes) as rejected_attributes,
        max(requests) as requests,
        max(retries) as retries,
        max(settled) as settled,
        max(seconds) as seconds,
        max(reading_seconds) as reading_seconds,
        max(rendering_seconds) as rendering_seconds,
        max(sending_seconds) as sending_seconds,
        max(recording_seconds) as recording_seconds,
        case
            when max(case when event = 'ended' then 1 else 0 end) = 1 then max(error)
            when max(recorded_at) <= cast(now() at time zone 'UTC' as timestamp) - interval '60 seconds' then 'process ended unexpectedly (killed, or host lost)'
        end as error
    from "shop"."marts"."batch_sync_journal"
    where event in ('claimed', 'beat', 'intent', 'checkpoint', 'released', 'ended')
    group by run_id, sync;

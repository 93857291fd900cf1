insert into "shop"."marts"."batch_sync_journal" (recorded_at, sync, event, delta_id)
    select cast(now() at time zone 'UTC' as timestamp), cast('people' as VARCHAR), cast('building' as VARCHAR), cast('00000000-0000-4000-8000-000000000002' as VARCHAR);

UPDATE "my-db"."Marketing".batch_sync_leases SET heartbeat_at = CAST($now AS TIMESTAMP)
WHERE
  sync = $sync AND run_id = $run_id;
SELECT
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
FROM "my-db"."Marketing".batch_sync_leases
WHERE
  sync = $sync;

SELECT
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
FROM "my-db"."Marketing".batch_sync_leases
WHERE
  sync = :sync;
UPDATE "my-db"."Marketing".batch_sync_leases SET run_id = :run_id, host = :host, process = CAST(:process AS BIGINT), taken_at = CAST(:now AS TIMESTAMP), heartbeat_at = CAST(:now AS TIMESTAMP)
WHERE
  sync = :sync
  AND (
    run_id IS NULL OR heartbeat_at < CAST(:expired AS TIMESTAMP) OR run_id = :gone
  );
SELECT
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
FROM "my-db"."Marketing".batch_sync_leases
WHERE
  sync = :sync;

SELECT
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
FROM "my-db"."Marketing".batch_sync_leases
WHERE
  sync = %(sync)s;
UPDATE "my-db"."Marketing".batch_sync_leases SET run_id = %(run_id)s, host = %(host)s, process = CAST(%(process)s AS BIGINT), taken_at = CAST(%(now)s AS TIMESTAMP), heartbeat_at = CAST(%(now)s AS TIMESTAMP)
WHERE
  sync = %(sync)s
  AND (
    run_id IS NULL
    OR heartbeat_at < CAST(%(expired)s AS TIMESTAMP)
    OR run_id = %(gone)s
  );
SELECT
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
FROM "my-db"."Marketing".batch_sync_leases
WHERE
  sync = %(sync)s;

UPDATE "my-db"."Marketing".batch_sync_leases SET heartbeat_at = CAST(%(now)s AS TIMESTAMP)
WHERE
  sync = %(sync)s AND run_id = %(run_id)s;
SELECT
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
FROM "my-db"."Marketing".batch_sync_leases
WHERE
  sync = %(sync)s;

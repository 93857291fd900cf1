CREATE TABLE IF NOT EXISTS "my-db"."Marketing".batch_sync_leases (
  segment TEXT,
  run_id TEXT,
  host TEXT,
  process BIGINT,
  taken_at TIMESTAMP,
  heartbeat_at TIMESTAMP
);
SELECT
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
FROM "my-db"."Marketing".batch_sync_leases
WHERE
  segment = %(segment)s;
INSERT INTO "my-db"."Marketing".batch_sync_leases (
  segment
)
SELECT
  CAST(%(segment)s AS TEXT) AS segment;
UPDATE "my-db"."Marketing".batch_sync_leases SET run_id = %(run_id)s, host = %(host)s, process = CAST(%(process)s AS BIGINT), taken_at = CAST(%(now)s AS TIMESTAMP), heartbeat_at = CAST(%(now)s AS TIMESTAMP)
WHERE
  segment = %(segment)s
  AND (
    run_id IS NULL OR heartbeat_at < CAST(%(expired)s AS TIMESTAMP)
  );
SELECT
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
FROM "my-db"."Marketing".batch_sync_leases
WHERE
  segment = %(segment)s;

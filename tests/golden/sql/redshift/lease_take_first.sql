CREATE TABLE IF NOT EXISTS "my-db"."Marketing".batch_sync_leases (
  sync VARCHAR(65535),
  run_id VARCHAR(65535),
  host VARCHAR(65535),
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
  sync = %(sync)s;
INSERT INTO "my-db"."Marketing".batch_sync_leases (
  sync,
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
)
SELECT
  CAST(%(sync)s AS VARCHAR(65535)) AS sync,
  CAST(%(run_id)s AS VARCHAR(65535)) AS run_id,
  CAST(%(host)s AS VARCHAR(65535)) AS host,
  CAST(%(process)s AS BIGINT) AS process,
  CAST(%(taken_at)s AS TIMESTAMP) AS taken_at,
  CAST(%(heartbeat_at)s AS TIMESTAMP) AS heartbeat_at;
UPDATE "my-db"."Marketing".batch_sync_leases SET run_id = %(run_id)s, host = %(host)s, process = CAST(%(process)s AS BIGINT), taken_at = CAST(%(now)s AS TIMESTAMP), heartbeat_at = CAST(%(now)s AS TIMESTAMP)
WHERE
  sync = %(sync)s
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
  sync = %(sync)s;

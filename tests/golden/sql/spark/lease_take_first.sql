CREATE TABLE IF NOT EXISTS `my-db`.`Marketing`.batch_sync_leases (
  sync STRING,
  run_id STRING,
  host STRING,
  process BIGINT,
  taken_at TIMESTAMP,
  heartbeat_at TIMESTAMP
)
USING DELTA;
SELECT
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
FROM `my-db`.`Marketing`.batch_sync_leases
WHERE
  sync = :sync;
INSERT INTO `my-db`.`Marketing`.batch_sync_leases (
  sync,
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
)
SELECT
  CAST(:sync AS STRING) AS sync,
  CAST(:run_id AS STRING) AS run_id,
  CAST(:host AS STRING) AS host,
  CAST(:process AS BIGINT) AS process,
  CAST(:taken_at AS TIMESTAMP) AS taken_at,
  CAST(:heartbeat_at AS TIMESTAMP) AS heartbeat_at;
UPDATE `my-db`.`Marketing`.batch_sync_leases SET run_id = :run_id, host = :host, process = CAST(:process AS BIGINT), taken_at = CAST(:now AS TIMESTAMP), heartbeat_at = CAST(:now AS TIMESTAMP)
WHERE
  sync = :sync
  AND (
    run_id IS NULL OR heartbeat_at < CAST(:expired AS TIMESTAMP)
  );
SELECT
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
FROM `my-db`.`Marketing`.batch_sync_leases
WHERE
  sync = :sync;

CREATE TABLE IF NOT EXISTS `my-db`.`Marketing`.batch_sync_leases (
  sync STRING,
  run_id STRING,
  host STRING,
  process INT64,
  taken_at DATETIME,
  heartbeat_at DATETIME
);
SELECT
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
FROM `my-db`.`Marketing`.batch_sync_leases
WHERE
  sync = @sync;
INSERT INTO `my-db`.`Marketing`.batch_sync_leases (
  sync,
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
)
SELECT
  CAST(@sync AS STRING) AS sync,
  CAST(@run_id AS STRING) AS run_id,
  CAST(@host AS STRING) AS host,
  CAST(@process AS INT64) AS process,
  CAST(@taken_at AS DATETIME) AS taken_at,
  CAST(@heartbeat_at AS DATETIME) AS heartbeat_at;
UPDATE `my-db`.`Marketing`.batch_sync_leases SET run_id = @run_id, host = @host, process = CAST(@process AS INT64), taken_at = CAST(@now AS DATETIME), heartbeat_at = CAST(@now AS DATETIME)
WHERE
  sync = @sync
  AND (
    run_id IS NULL OR heartbeat_at < CAST(@expired AS DATETIME)
  );
SELECT
  run_id,
  host,
  process,
  taken_at,
  heartbeat_at
FROM `my-db`.`Marketing`.batch_sync_leases
WHERE
  sync = @sync;

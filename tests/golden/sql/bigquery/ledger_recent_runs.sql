SELECT
  segment
FROM `my-db`.`Marketing`.batch_sync_runs
WHERE
  segment = @segment
ORDER BY
  started_at DESC
LIMIT 10;

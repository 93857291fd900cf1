SELECT
  project_hash
FROM `my-db`.`Marketing`.batch_sync_runs
WHERE
  segment = :segment AND intent_position > 0
ORDER BY
  started_at DESC
LIMIT 1;

SELECT
  project_hash
FROM `my-db`.`Marketing`.batch_sync_runs
WHERE
  sync = :sync AND intent_position > 0
ORDER BY
  started_at DESC
LIMIT 1;

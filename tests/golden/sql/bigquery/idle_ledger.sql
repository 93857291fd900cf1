SELECT
  sync,
  project_hash,
  SUM(CASE WHEN status = 'running' THEN 1 ELSE 0 END),
  MAX(CASE WHEN intent_position > 0 THEN started_at END)
FROM `my-db`.`Marketing`.batch_sync_runs
GROUP BY
  sync,
  project_hash;
SELECT
  sync,
  SUM(CASE WHEN resolved_at IS NULL AND attribute IS NULL THEN 1 ELSE 0 END),
  MIN(resolved_at)
FROM `my-db`.`Marketing`.batch_sync_rejects
GROUP BY
  sync;

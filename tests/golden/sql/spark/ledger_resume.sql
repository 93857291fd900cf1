SELECT
  committed_position,
  committed_key
FROM `my-db`.`Marketing`.batch_sync_runs
WHERE
  (
    sync = :sync AND delta_id = :delta_id
  )
  AND NOT committed_position IS NULL
  AND NOT committed_key IS NULL
ORDER BY
  committed_position DESC
LIMIT 1;

SELECT
  1
FROM `my-db`.`Marketing`.batch_sync_rejects
WHERE
  (
    sync = :sync AND resolved_at IS NULL
  )
  AND (
    attribute IS NULL OR reason = 'never_resubscribe'
  )
LIMIT 1;

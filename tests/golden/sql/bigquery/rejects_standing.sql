SELECT
  attribute,
  reason,
  rejected_by,
  COUNT(*) AS refused,
  MIN(first_seen_at),
  MAX(last_seen_at),
  SUM(attempts)
FROM `my-db`.`Marketing`.batch_sync_rejects
WHERE
  sync = @sync AND resolved_at IS NULL
GROUP BY
  attribute,
  reason,
  rejected_by
ORDER BY
  refused DESC,
  attribute,
  reason,
  rejected_by;

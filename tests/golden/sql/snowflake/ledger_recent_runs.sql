SELECT
  sync
FROM "my-db"."Marketing".batch_sync_runs
WHERE
  sync = :sync
ORDER BY
  started_at DESC NULLS LAST
LIMIT 10;

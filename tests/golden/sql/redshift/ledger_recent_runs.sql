SELECT
  segment
FROM "my-db"."Marketing".batch_sync_runs
WHERE
  segment = %(segment)s
ORDER BY
  started_at DESC NULLS LAST
LIMIT 10;

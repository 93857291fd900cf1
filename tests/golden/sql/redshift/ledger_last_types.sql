SELECT
  mapping_hash,
  attribute_types
FROM "my-db"."Marketing".batch_sync_runs
WHERE
  sync = %(sync)s AND intent_position > 0
ORDER BY
  started_at DESC NULLS LAST
LIMIT 1;

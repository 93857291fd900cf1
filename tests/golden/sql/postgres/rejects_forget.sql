DELETE FROM "my-db"."Marketing".batch_sync_rejects
WHERE
  segment = %(segment)s AND resolved_at < CAST(%(before)s AS TIMESTAMP);

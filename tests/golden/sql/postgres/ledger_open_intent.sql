SELECT
  MAX(intent_position),
  MAX(committed_position)
FROM "my-db"."Marketing".batch_sync_runs
WHERE
  sync = %(sync)s AND delta_id = %(delta_id)s;

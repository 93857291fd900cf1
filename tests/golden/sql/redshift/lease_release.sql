UPDATE "my-db"."Marketing".batch_sync_leases SET run_id = NULL, host = NULL, process = NULL, taken_at = NULL, heartbeat_at = NULL
WHERE
  sync = %(sync)s AND run_id = %(run_id)s;

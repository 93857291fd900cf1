UPDATE `my-db`.`Marketing`.batch_sync_runs SET status = 'interrupted', finished_at = heartbeat_at, error = 'ended without a word: killed, or its machine went away'
WHERE
  sync = :sync AND status = 'running' AND run_id <> :run_id;

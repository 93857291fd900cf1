DELETE FROM `my-db`.`Marketing`.batch_sync_rejects
WHERE
  segment = :segment AND resolved_at < CAST(:before AS TIMESTAMP);

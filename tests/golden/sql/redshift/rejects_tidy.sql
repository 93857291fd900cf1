SELECT
  SUM(CASE WHEN resolved_at < CAST(%(before)s AS TIMESTAMP) THEN 1 ELSE 0 END),
  SUM(
    CASE
      WHEN sync = %(sync)s AND attribute IS NULL AND resolved_at IS NULL
      THEN 1
      ELSE 0
    END
  )
FROM "my-db"."Marketing".batch_sync_rejects
WHERE
  sync = %(sync)s;
UPDATE "my-db"."Marketing".batch_sync_rejects SET resolved_at = CAST(%(now)s AS TIMESTAMP)
WHERE
  (
    sync = %(sync)s AND attribute IS NULL AND resolved_at IS NULL
  )
  AND NOT EXISTS(
    SELECT
      1
    FROM "my-db"."Marketing"."people_delta" AS d
    WHERE
      d."custom_id" = batch_sync_rejects.custom_id
  );
DELETE FROM "my-db"."Marketing".batch_sync_rejects
WHERE
  sync = %(sync)s AND resolved_at < CAST(%(before)s AS TIMESTAMP);

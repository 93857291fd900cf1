SELECT
  SUM(CASE WHEN resolved_at < CAST(:before AS TIMESTAMP) THEN 1 ELSE 0 END),
  SUM(
    CASE
      WHEN sync = :sync AND attribute IS NULL AND resolved_at IS NULL
      THEN 1
      ELSE 0
    END
  )
FROM `my-db`.`Marketing`.batch_sync_rejects
WHERE
  sync = :sync;
MERGE INTO `my-db`.`Marketing`.batch_sync_rejects AS o
USING (
  SELECT DISTINCT
    attribute,
    custom_id,
    resolved_at,
    sync
  FROM `my-db`.`Marketing`.batch_sync_rejects
  WHERE
    (
      sync = :sync AND attribute IS NULL AND resolved_at IS NULL
    )
    AND NOT EXISTS(
      SELECT
        1
      FROM `my-db`.`Marketing`.`people_delta` AS d
      WHERE
        d.`custom_id` = batch_sync_rejects.custom_id
    )
) AS n
ON o.attribute IS NOT DISTINCT FROM n.attribute
AND o.custom_id IS NOT DISTINCT FROM n.custom_id
AND o.resolved_at IS NOT DISTINCT FROM n.resolved_at
AND o.sync IS NOT DISTINCT FROM n.sync
WHEN MATCHED THEN UPDATE SET
  resolved_at = CAST(:now AS TIMESTAMP);
DELETE FROM `my-db`.`Marketing`.batch_sync_rejects
WHERE
  sync = :sync AND resolved_at < CAST(:before AS TIMESTAMP);

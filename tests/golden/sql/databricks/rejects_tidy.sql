SELECT
  SUM(CASE WHEN resolved_at < CAST(:before AS TIMESTAMP) THEN 1 ELSE 0 END),
  SUM(
    CASE
      WHEN segment = :segment AND attribute IS NULL AND resolved_at IS NULL
      THEN 1
      ELSE 0
    END
  )
FROM `my-db`.`Marketing`.batch_sync_rejects
WHERE
  segment = :segment;
MERGE INTO `my-db`.`Marketing`.batch_sync_rejects AS o
USING (
  SELECT DISTINCT
    attribute,
    custom_id,
    resolved_at,
    segment
  FROM `my-db`.`Marketing`.batch_sync_rejects
  WHERE
    (
      segment = :segment AND attribute IS NULL AND resolved_at IS NULL
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
AND o.segment IS NOT DISTINCT FROM n.segment
WHEN MATCHED THEN UPDATE SET
  resolved_at = CAST(:now AS TIMESTAMP);
DELETE FROM `my-db`.`Marketing`.batch_sync_rejects
WHERE
  segment = :segment AND resolved_at < CAST(:before AS TIMESTAMP);

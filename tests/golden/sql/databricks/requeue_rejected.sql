MERGE INTO `my-db`.`Marketing`.`people_sent_snapshot` AS o
USING (
  SELECT DISTINCT
    `_batch_doubt`,
    `custom_id`
  FROM `my-db`.`Marketing`.`people_sent_snapshot`
  WHERE
    `custom_id` IN (
      SELECT
        custom_id
      FROM `my-db`.`Marketing`.batch_sync_rejects
      WHERE
        (
          sync = :sync AND resolved_at IS NULL
        )
        AND attribute = 'batch__email_marketing'
    )
    AND NOT LOCATE(',batch__email_marketing,', COALESCE(`_batch_doubt`, '')) > 0
) AS n
ON `o`.`_batch_doubt` IS NOT DISTINCT FROM `n`.`_batch_doubt`
AND `o`.`custom_id` IS NOT DISTINCT FROM `n`.`custom_id`
WHEN MATCHED THEN UPDATE SET
  `_batch_doubt` = COALESCE(o.`_batch_doubt`, '') || ',batch__email_marketing,';
MERGE INTO `my-db`.`Marketing`.`people_sent_snapshot` AS o
USING (
  SELECT DISTINCT
    `_batch_doubt`,
    `custom_id`
  FROM `my-db`.`Marketing`.`people_sent_snapshot`
  WHERE
    `custom_id` IN (
      SELECT
        custom_id
      FROM `my-db`.`Marketing`.batch_sync_rejects
      WHERE
        (
          sync = :sync AND resolved_at IS NULL
        )
        AND attribute = 'batch__sms_marketing'
    )
    AND NOT LOCATE(',batch__sms_marketing,', COALESCE(`_batch_doubt`, '')) > 0
) AS n
ON `o`.`_batch_doubt` IS NOT DISTINCT FROM `n`.`_batch_doubt`
AND `o`.`custom_id` IS NOT DISTINCT FROM `n`.`custom_id`
WHEN MATCHED THEN UPDATE SET
  `_batch_doubt` = COALESCE(o.`_batch_doubt`, '') || ',batch__sms_marketing,';
MERGE INTO `my-db`.`Marketing`.`people_sent_snapshot` AS o
USING (
  SELECT DISTINCT
    `_batch_doubt`,
    `custom_id`
  FROM `my-db`.`Marketing`.`people_sent_snapshot`
  WHERE
    `custom_id` IN (
      SELECT
        custom_id
      FROM `my-db`.`Marketing`.batch_sync_rejects
      WHERE
        (
          sync = :sync AND resolved_at IS NULL
        ) AND attribute = 'tags'
    )
    AND NOT LOCATE(',tags,', COALESCE(`_batch_doubt`, '')) > 0
) AS n
ON `o`.`_batch_doubt` IS NOT DISTINCT FROM `n`.`_batch_doubt`
AND `o`.`custom_id` IS NOT DISTINCT FROM `n`.`custom_id`
WHEN MATCHED THEN UPDATE SET
  `_batch_doubt` = COALESCE(o.`_batch_doubt`, '') || ',tags,';
MERGE INTO `my-db`.`Marketing`.`people_sent_snapshot` AS o
USING (
  SELECT DISTINCT
    `_batch_doubt`,
    `custom_id`
  FROM `my-db`.`Marketing`.`people_sent_snapshot`
  WHERE
    `custom_id` IN (
      SELECT
        custom_id
      FROM `my-db`.`Marketing`.batch_sync_rejects
      WHERE
        (
          sync = :sync AND resolved_at IS NULL
        ) AND attribute = 'points'
    )
    AND NOT LOCATE(',points,', COALESCE(`_batch_doubt`, '')) > 0
) AS n
ON `o`.`_batch_doubt` IS NOT DISTINCT FROM `n`.`_batch_doubt`
AND `o`.`custom_id` IS NOT DISTINCT FROM `n`.`custom_id`
WHEN MATCHED THEN UPDATE SET
  `_batch_doubt` = COALESCE(o.`_batch_doubt`, '') || ',points,';
UPDATE `my-db`.`Marketing`.batch_sync_rejects SET sent_hash = NULL
WHERE
  (
    sync = :sync AND resolved_at IS NULL
  ) AND attribute IS NULL;
MERGE INTO `my-db`.`Marketing`.`people_delta` AS o
USING (
  SELECT DISTINCT
    `_batch_change`,
    `custom_id`
  FROM `my-db`.`Marketing`.`people_delta`
  WHERE
    `_batch_change` <> 'invalid'
    AND `custom_id` IN (
      SELECT
        `custom_id`
      FROM `my-db`.`Marketing`.`people_sent_snapshot`
      WHERE
        `_batch_delta_id` IN (
          SELECT
            `_batch_delta_id`
          FROM `my-db`.`Marketing`.`people_delta`
        )
    )
) AS n
ON `o`.`_batch_change` IS NOT DISTINCT FROM `n`.`_batch_change`
AND `o`.`custom_id` IS NOT DISTINCT FROM `n`.`custom_id`
WHEN MATCHED THEN DELETE;
UPDATE `my-db`.`Marketing`.`people_delta` SET `_batch_delta_id` = :delta_id
WHERE
  TRUE;
MERGE INTO `my-db`.`Marketing`.`people_delta` AS o
USING (
  SELECT DISTINCT
    `_batch_change`,
    `_batch_changed`,
    `custom_id`
  FROM `my-db`.`Marketing`.`people_delta`
  WHERE
    `_batch_change` = 'update'
    AND NOT LOCATE(',batch__email_marketing,', ',' || `_batch_changed` || ',') > 0
    AND `custom_id` IN (
      SELECT
        `custom_id`
      FROM `my-db`.`Marketing`.`people_sent_snapshot`
      WHERE
        LOCATE(',batch__email_marketing,', COALESCE(`_batch_doubt`, '')) > 0
    )
) AS n
ON `o`.`_batch_change` IS NOT DISTINCT FROM `n`.`_batch_change`
AND `o`.`_batch_changed` IS NOT DISTINCT FROM `n`.`_batch_changed`
AND `o`.`custom_id` IS NOT DISTINCT FROM `n`.`custom_id`
WHEN MATCHED THEN UPDATE SET
  `_batch_changed` = CASE
    WHEN o.`_batch_changed` = ''
    THEN 'batch__email_marketing'
    ELSE o.`_batch_changed` || ',batch__email_marketing'
  END;
MERGE INTO `my-db`.`Marketing`.`people_delta` AS o
USING (
  SELECT DISTINCT
    `_batch_change`,
    `_batch_changed`,
    `custom_id`
  FROM `my-db`.`Marketing`.`people_delta`
  WHERE
    `_batch_change` = 'update'
    AND NOT LOCATE(',batch__sms_marketing,', ',' || `_batch_changed` || ',') > 0
    AND `custom_id` IN (
      SELECT
        `custom_id`
      FROM `my-db`.`Marketing`.`people_sent_snapshot`
      WHERE
        LOCATE(',batch__sms_marketing,', COALESCE(`_batch_doubt`, '')) > 0
    )
) AS n
ON `o`.`_batch_change` IS NOT DISTINCT FROM `n`.`_batch_change`
AND `o`.`_batch_changed` IS NOT DISTINCT FROM `n`.`_batch_changed`
AND `o`.`custom_id` IS NOT DISTINCT FROM `n`.`custom_id`
WHEN MATCHED THEN UPDATE SET
  `_batch_changed` = CASE
    WHEN o.`_batch_changed` = ''
    THEN 'batch__sms_marketing'
    ELSE o.`_batch_changed` || ',batch__sms_marketing'
  END;
MERGE INTO `my-db`.`Marketing`.`people_delta` AS o
USING (
  SELECT DISTINCT
    `_batch_change`,
    `_batch_changed`,
    `custom_id`
  FROM `my-db`.`Marketing`.`people_delta`
  WHERE
    `_batch_change` = 'update'
    AND NOT LOCATE(',tags,', ',' || `_batch_changed` || ',') > 0
    AND `custom_id` IN (
      SELECT
        `custom_id`
      FROM `my-db`.`Marketing`.`people_sent_snapshot`
      WHERE
        LOCATE(',tags,', COALESCE(`_batch_doubt`, '')) > 0
    )
) AS n
ON `o`.`_batch_change` IS NOT DISTINCT FROM `n`.`_batch_change`
AND `o`.`_batch_changed` IS NOT DISTINCT FROM `n`.`_batch_changed`
AND `o`.`custom_id` IS NOT DISTINCT FROM `n`.`custom_id`
WHEN MATCHED THEN UPDATE SET
  `_batch_changed` = CASE WHEN o.`_batch_changed` = '' THEN 'tags' ELSE o.`_batch_changed` || ',tags' END;
MERGE INTO `my-db`.`Marketing`.`people_delta` AS o
USING (
  SELECT DISTINCT
    `_batch_change`,
    `_batch_changed`,
    `custom_id`,
    `points`
  FROM `my-db`.`Marketing`.`people_delta`
  WHERE
    (
      `_batch_change` = 'update'
      AND NOT LOCATE(',points,', ',' || `_batch_changed` || ',') > 0
      AND `custom_id` IN (
        SELECT
          `custom_id`
        FROM `my-db`.`Marketing`.`people_sent_snapshot`
        WHERE
          LOCATE(',points,', COALESCE(`_batch_doubt`, '')) > 0
      )
    )
    AND NOT `points` IS NULL
) AS n
ON `o`.`_batch_change` IS NOT DISTINCT FROM `n`.`_batch_change`
AND `o`.`_batch_changed` IS NOT DISTINCT FROM `n`.`_batch_changed`
AND `o`.`custom_id` IS NOT DISTINCT FROM `n`.`custom_id`
AND `o`.`points` IS NOT DISTINCT FROM `n`.`points`
WHEN MATCHED THEN UPDATE SET
  `_batch_changed` = CASE
    WHEN o.`_batch_changed` = ''
    THEN 'points'
    ELSE o.`_batch_changed` || ',points'
  END;
INSERT INTO `my-db`.`Marketing`.`people_delta` (
  `custom_id`,
  `_batch_change`,
  `_batch_changed`,
  `_batch_reason`,
  `_batch_delta_id`,
  `_batch_mapping`,
  `_batch_types`,
  `_batch_doubt`,
  `batch__email_marketing`,
  `BATCH__SMS_MARKETING`,
  `tags`,
  `points`
)
SELECT
  s.`custom_id` AS `custom_id`,
  'update' AS `_batch_change`,
  SUBSTRING(
    '' || CASE
      WHEN LOCATE(',batch__email_marketing,', COALESCE(s.`_batch_doubt`, '')) > 0
      THEN ',batch__email_marketing'
      ELSE ''
    END || CASE
      WHEN LOCATE(',batch__sms_marketing,', COALESCE(s.`_batch_doubt`, '')) > 0
      THEN ',batch__sms_marketing'
      ELSE ''
    END || CASE
      WHEN LOCATE(',tags,', COALESCE(s.`_batch_doubt`, '')) > 0
      THEN ',tags'
      ELSE ''
    END || CASE
      WHEN LOCATE(',points,', COALESCE(s.`_batch_doubt`, '')) > 0 AND NOT s.`points` IS NULL
      THEN ',points'
      ELSE ''
    END,
    2
  ) AS `_batch_changed`,
  CAST(NULL AS STRING) AS `_batch_reason`,
  :delta_id AS `_batch_delta_id`,
  :mapping AS `_batch_mapping`,
  :types AS `_batch_types`,
  NULLIF(
    '' || CASE
      WHEN LOCATE(',points,', COALESCE(s.`_batch_doubt`, '')) > 0 AND s.`points` IS NULL
      THEN ',points,'
      ELSE ''
    END || CASE
      WHEN LOCATE(',removed,', COALESCE(s.`_batch_doubt`, '')) > 0
      THEN ',removed,'
      ELSE ''
    END,
    ''
  ) AS `_batch_doubt`,
  s.`batch__email_marketing` AS `batch__email_marketing`,
  s.`BATCH__SMS_MARKETING` AS `BATCH__SMS_MARKETING`,
  s.`tags` AS `tags`,
  s.`points` AS `points`
FROM `my-db`.`Marketing`.`people_sent_snapshot` AS s
WHERE
  (
    (
      s.`_batch_exited_at` IS NULL AND NOT s.`_batch_doubt` IS NULL
    )
    AND NOT s.`custom_id` IN (
      SELECT
        `custom_id`
      FROM `my-db`.`Marketing`.`people_delta`
      WHERE
        NOT `custom_id` IS NULL
    )
  )
  AND '' || CASE
    WHEN LOCATE(',batch__email_marketing,', COALESCE(s.`_batch_doubt`, '')) > 0
    THEN ',batch__email_marketing'
    ELSE ''
  END || CASE
    WHEN LOCATE(',batch__sms_marketing,', COALESCE(s.`_batch_doubt`, '')) > 0
    THEN ',batch__sms_marketing'
    ELSE ''
  END || CASE
    WHEN LOCATE(',tags,', COALESCE(s.`_batch_doubt`, '')) > 0
    THEN ',tags'
    ELSE ''
  END || CASE
    WHEN LOCATE(',points,', COALESCE(s.`_batch_doubt`, '')) > 0 AND NOT s.`points` IS NULL
    THEN ',points'
    ELSE ''
  END <> '';

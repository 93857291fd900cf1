UPDATE `my-db`.`Marketing`.`people_sent_snapshot` SET `_batch_doubt` = COALESCE(`_batch_doubt`, '') || ',batch__email_marketing,'
WHERE
  `custom_id` IN (
    SELECT
      custom_id
    FROM `my-db`.`Marketing`.batch_sync_rejects
    WHERE
      (
        sync = @sync AND resolved_at IS NULL
      )
      AND attribute = 'batch__email_marketing'
  )
  AND NOT INSTR(COALESCE(`_batch_doubt`, ''), ',batch__email_marketing,') > 0;
UPDATE `my-db`.`Marketing`.`people_sent_snapshot` SET `_batch_doubt` = COALESCE(`_batch_doubt`, '') || ',batch__sms_marketing,'
WHERE
  `custom_id` IN (
    SELECT
      custom_id
    FROM `my-db`.`Marketing`.batch_sync_rejects
    WHERE
      (
        sync = @sync AND resolved_at IS NULL
      )
      AND attribute = 'batch__sms_marketing'
  )
  AND NOT INSTR(COALESCE(`_batch_doubt`, ''), ',batch__sms_marketing,') > 0;
UPDATE `my-db`.`Marketing`.`people_sent_snapshot` SET `_batch_doubt` = COALESCE(`_batch_doubt`, '') || ',tags,'
WHERE
  `custom_id` IN (
    SELECT
      custom_id
    FROM `my-db`.`Marketing`.batch_sync_rejects
    WHERE
      (
        sync = @sync AND resolved_at IS NULL
      ) AND attribute = 'tags'
  )
  AND NOT INSTR(COALESCE(`_batch_doubt`, ''), ',tags,') > 0;
UPDATE `my-db`.`Marketing`.`people_sent_snapshot` SET `_batch_doubt` = COALESCE(`_batch_doubt`, '') || ',points,'
WHERE
  `custom_id` IN (
    SELECT
      custom_id
    FROM `my-db`.`Marketing`.batch_sync_rejects
    WHERE
      (
        sync = @sync AND resolved_at IS NULL
      ) AND attribute = 'points'
  )
  AND NOT INSTR(COALESCE(`_batch_doubt`, ''), ',points,') > 0;
UPDATE `my-db`.`Marketing`.batch_sync_rejects SET sent_hash = NULL
WHERE
  (
    sync = @sync AND resolved_at IS NULL
  ) AND attribute IS NULL;
DELETE FROM `my-db`.`Marketing`.`people_delta`
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
  );
UPDATE `my-db`.`Marketing`.`people_delta` SET `_batch_delta_id` = @delta_id
WHERE
  TRUE;
UPDATE `my-db`.`Marketing`.`people_delta` SET `_batch_changed` = CASE
  WHEN `_batch_changed` = ''
  THEN 'batch__email_marketing'
  ELSE `_batch_changed` || ',batch__email_marketing'
END
WHERE
  `_batch_change` = 'update'
  AND NOT INSTR(',' || `_batch_changed` || ',', ',batch__email_marketing,') > 0
  AND `custom_id` IN (
    SELECT
      `custom_id`
    FROM `my-db`.`Marketing`.`people_sent_snapshot`
    WHERE
      INSTR(COALESCE(`_batch_doubt`, ''), ',batch__email_marketing,') > 0
  );
UPDATE `my-db`.`Marketing`.`people_delta` SET `_batch_changed` = CASE
  WHEN `_batch_changed` = ''
  THEN 'batch__sms_marketing'
  ELSE `_batch_changed` || ',batch__sms_marketing'
END
WHERE
  `_batch_change` = 'update'
  AND NOT INSTR(',' || `_batch_changed` || ',', ',batch__sms_marketing,') > 0
  AND `custom_id` IN (
    SELECT
      `custom_id`
    FROM `my-db`.`Marketing`.`people_sent_snapshot`
    WHERE
      INSTR(COALESCE(`_batch_doubt`, ''), ',batch__sms_marketing,') > 0
  );
UPDATE `my-db`.`Marketing`.`people_delta` SET `_batch_changed` = CASE WHEN `_batch_changed` = '' THEN 'tags' ELSE `_batch_changed` || ',tags' END
WHERE
  `_batch_change` = 'update'
  AND NOT INSTR(',' || `_batch_changed` || ',', ',tags,') > 0
  AND `custom_id` IN (
    SELECT
      `custom_id`
    FROM `my-db`.`Marketing`.`people_sent_snapshot`
    WHERE
      INSTR(COALESCE(`_batch_doubt`, ''), ',tags,') > 0
  );
UPDATE `my-db`.`Marketing`.`people_delta` SET `_batch_changed` = CASE WHEN `_batch_changed` = '' THEN 'points' ELSE `_batch_changed` || ',points' END
WHERE
  (
    `_batch_change` = 'update'
    AND NOT INSTR(',' || `_batch_changed` || ',', ',points,') > 0
    AND `custom_id` IN (
      SELECT
        `custom_id`
      FROM `my-db`.`Marketing`.`people_sent_snapshot`
      WHERE
        INSTR(COALESCE(`_batch_doubt`, ''), ',points,') > 0
    )
  )
  AND NOT `points` IS NULL;
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
      WHEN INSTR(COALESCE(s.`_batch_doubt`, ''), ',batch__email_marketing,') > 0
      THEN ',batch__email_marketing'
      ELSE ''
    END || CASE
      WHEN INSTR(COALESCE(s.`_batch_doubt`, ''), ',batch__sms_marketing,') > 0
      THEN ',batch__sms_marketing'
      ELSE ''
    END || CASE
      WHEN INSTR(COALESCE(s.`_batch_doubt`, ''), ',tags,') > 0
      THEN ',tags'
      ELSE ''
    END || CASE
      WHEN INSTR(COALESCE(s.`_batch_doubt`, ''), ',points,') > 0 AND NOT s.`points` IS NULL
      THEN ',points'
      ELSE ''
    END,
    2
  ) AS `_batch_changed`,
  CAST(NULL AS STRING) AS `_batch_reason`,
  @delta_id AS `_batch_delta_id`,
  @mapping AS `_batch_mapping`,
  @types AS `_batch_types`,
  NULLIF(
    '' || CASE
      WHEN INSTR(COALESCE(s.`_batch_doubt`, ''), ',points,') > 0 AND s.`points` IS NULL
      THEN ',points,'
      ELSE ''
    END || CASE
      WHEN INSTR(COALESCE(s.`_batch_doubt`, ''), ',removed,') > 0
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
    WHEN INSTR(COALESCE(s.`_batch_doubt`, ''), ',batch__email_marketing,') > 0
    THEN ',batch__email_marketing'
    ELSE ''
  END || CASE
    WHEN INSTR(COALESCE(s.`_batch_doubt`, ''), ',batch__sms_marketing,') > 0
    THEN ',batch__sms_marketing'
    ELSE ''
  END || CASE
    WHEN INSTR(COALESCE(s.`_batch_doubt`, ''), ',tags,') > 0
    THEN ',tags'
    ELSE ''
  END || CASE
    WHEN INSTR(COALESCE(s.`_batch_doubt`, ''), ',points,') > 0 AND NOT s.`points` IS NULL
    THEN ',points'
    ELSE ''
  END <> '';

SELECT
  d.`custom_id` AS custom_id,
  d.`_batch_change` AS _batch_change,
  TRIM(',' FROM CASE
    WHEN (
      LOCATE(',batch__sms_marketing,', ',' || d.`_batch_changed` || ',') > 0
      AND d.`BATCH__SMS_MARKETING` IN ('subscribed', 'true')
    )
    AND (
      s.`BATCH__SMS_MARKETING` IN ('unsubscribed', 'false')
      OR NOT withheld.batch__sms_marketing IS NULL
    )
    THEN REPLACE(
      CASE
        WHEN (
          LOCATE(',batch__email_marketing,', ',' || d.`_batch_changed` || ',') > 0
          AND d.`batch__email_marketing` = TRUE
        )
        AND (
          s.`batch__email_marketing` = FALSE OR NOT withheld.batch__email_marketing IS NULL
        )
        THEN REPLACE(',' || d.`_batch_changed` || ',', ',batch__email_marketing,', ',')
        ELSE ',' || d.`_batch_changed` || ','
      END,
      ',batch__sms_marketing,',
      ','
    )
    ELSE CASE
      WHEN (
        LOCATE(',batch__email_marketing,', ',' || d.`_batch_changed` || ',') > 0
        AND d.`batch__email_marketing` = TRUE
      )
      AND (
        s.`batch__email_marketing` = FALSE OR NOT withheld.batch__email_marketing IS NULL
      )
      THEN REPLACE(',' || d.`_batch_changed` || ',', ',batch__email_marketing,', ',')
      ELSE ',' || d.`_batch_changed` || ','
    END
  END) AS _batch_changed,
  parked.sent_hash AS _batch_parked,
  NULLIF(
    '' || CASE
      WHEN (
        LOCATE(',batch__email_marketing,', ',' || d.`_batch_changed` || ',') > 0
        AND d.`batch__email_marketing` = TRUE
      )
      AND (
        s.`batch__email_marketing` = FALSE OR NOT withheld.batch__email_marketing IS NULL
      )
      THEN 'batch__email_marketing,'
      ELSE ''
    END || CASE
      WHEN (
        LOCATE(',batch__sms_marketing,', ',' || d.`_batch_changed` || ',') > 0
        AND d.`BATCH__SMS_MARKETING` IN ('subscribed', 'true')
      )
      AND (
        s.`BATCH__SMS_MARKETING` IN ('unsubscribed', 'false')
        OR NOT withheld.batch__sms_marketing IS NULL
      )
      THEN 'batch__sms_marketing,'
      ELSE ''
    END,
    ''
  ) AS _batch_blocked,
  d.`batch__email_marketing` AS `batch__email_marketing`,
  d.`BATCH__SMS_MARKETING` AS `batch__sms_marketing`,
  d.`tags` AS `tags`,
  d.`points` AS `points`
FROM `my-db`.`Marketing`.`people_delta` AS d
LEFT JOIN (
  SELECT
    custom_id,
    sent_hash
  FROM `my-db`.`Marketing`.batch_sync_rejects
  WHERE
    sync = :sync AND attribute IS NULL AND resolved_at IS NULL
) AS parked
  ON parked.custom_id = d.`custom_id`
LEFT JOIN `my-db`.`Marketing`.`people_sent_snapshot` AS s
  ON s.`custom_id` = d.`custom_id`
LEFT JOIN (
  SELECT
    custom_id,
    MAX(CASE WHEN attribute = 'batch__email_marketing' THEN 1 END) AS batch__email_marketing,
    MAX(CASE WHEN attribute = 'batch__sms_marketing' THEN 1 END) AS batch__sms_marketing
  FROM `my-db`.`Marketing`.batch_sync_rejects
  WHERE
    sync = :sync AND reason = 'never_resubscribe' AND resolved_at IS NULL
  GROUP BY
    custom_id
) AS withheld
  ON withheld.custom_id = d.`custom_id`
WHERE
  d.`_batch_change` <> 'invalid'
ORDER BY
  d.`custom_id`;

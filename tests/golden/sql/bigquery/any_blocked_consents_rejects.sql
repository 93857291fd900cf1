SELECT
  1
FROM `my-db`.`Marketing`.`people_delta` AS d
JOIN `my-db`.`Marketing`.`people_sent_snapshot` AS s
  ON s.`custom_id` = d.`custom_id`
WHERE
  (
    INSTR(',' || d.`_batch_changed` || ',', ',batch__email_marketing,') > 0
    AND (
      s.`batch__email_marketing` = FALSE
      OR d.`custom_id` IN (
        SELECT
          custom_id
        FROM `my-db`.`Marketing`.batch_sync_rejects
        WHERE
          segment = @segment
          AND attribute = 'batch__email_marketing'
          AND reason = 'never_resubscribe'
          AND resolved_at IS NULL
      )
    )
    AND d.`batch__email_marketing` = TRUE
  )
  OR (
    INSTR(',' || d.`_batch_changed` || ',', ',batch__sms_marketing,') > 0
    AND (
      s.`BATCH__SMS_MARKETING` IN ('unsubscribed', 'false')
      OR d.`custom_id` IN (
        SELECT
          custom_id
        FROM `my-db`.`Marketing`.batch_sync_rejects
        WHERE
          segment = @segment
          AND attribute = 'batch__sms_marketing'
          AND reason = 'never_resubscribe'
          AND resolved_at IS NULL
      )
    )
    AND d.`BATCH__SMS_MARKETING` IN ('subscribed', 'true')
  )
LIMIT 1;

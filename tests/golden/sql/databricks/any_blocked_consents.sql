SELECT
  1
FROM `my-db`.`Marketing`.`people_delta` AS d
JOIN `my-db`.`Marketing`.`people_sent_snapshot` AS s
  ON s.`custom_id` = d.`custom_id`
WHERE
  (
    (
      LOCATE(',batch__email_marketing,', ',' || d.`_batch_changed` || ',') > 0
      AND d.`batch__email_marketing` = TRUE
    )
    AND s.`batch__email_marketing` = FALSE
  )
  OR (
    (
      LOCATE(',batch__sms_marketing,', ',' || d.`_batch_changed` || ',') > 0
      AND d.`BATCH__SMS_MARKETING` IN ('subscribed', 'true')
    )
    AND s.`BATCH__SMS_MARKETING` IN ('unsubscribed', 'false')
  )
LIMIT 1;

SELECT
  1
FROM `my-db`.`Marketing`.`people_delta` AS d
WHERE
  d.`_batch_change` <> 'insert'
  AND (
    (
      LOCATE(',batch__email_marketing,', ',' || d.`_batch_changed` || ',') > 0
      AND d.`batch__email_marketing` = TRUE
    )
    OR (
      LOCATE(',batch__sms_marketing,', ',' || d.`_batch_changed` || ',') > 0
      AND d.`BATCH__SMS_MARKETING` IN ('subscribed', 'true')
    )
  )
LIMIT 1;

SELECT
  1
FROM "my-db"."Marketing"."people_delta" AS d
WHERE
  d."_batch_change" <> 'insert'
  AND (
    (
      CHARINDEX(',batch__email_marketing,', ',' || d."_batch_changed" || ',') > 0
      AND d."batch__email_marketing" = TRUE
    )
    OR (
      CHARINDEX(',batch__sms_marketing,', ',' || d."_batch_changed" || ',') > 0
      AND d."BATCH__SMS_MARKETING" IN ('subscribed', 'true')
    )
  )
LIMIT 1;

SELECT
  1
FROM "my-db"."Marketing"."people_delta" AS d
WHERE
  d."_batch_change" <> 'insert'
  AND (
    (
      STRPOS(',' || d."_batch_changed" || ',', ',batch__email_marketing,') > 0
      AND d."batch__email_marketing" = TRUE
    )
    OR (
      STRPOS(',' || d."_batch_changed" || ',', ',batch__sms_marketing,') > 0
      AND d."BATCH__SMS_MARKETING" IN ('subscribed', 'true')
    )
  )
LIMIT 1;

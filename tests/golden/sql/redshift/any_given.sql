SELECT
  1
FROM "my-db"."Marketing"."people_delta" AS d
WHERE
  d."_batch_change" <> 'insert'
  AND (
    (
      POSITION(',batch__email_marketing,' IN ',' || d."_batch_changed" || ',') > 0
      AND d."batch__email_marketing" = TRUE
    )
    OR (
      POSITION(',batch__sms_marketing,' IN ',' || d."_batch_changed" || ',') > 0
      AND d."BATCH__SMS_MARKETING" IN ('subscribed', 'true')
    )
  )
LIMIT 1;

SELECT
  1
FROM "my-db"."Marketing"."people_delta" AS d
JOIN "my-db"."Marketing"."people_sent_snapshot" AS s
  ON s."custom_id" = d."custom_id"
WHERE
  (
    (
      POSITION(',batch__email_marketing,' IN ',' || d."_batch_changed" || ',') > 0
      AND d."batch__email_marketing" = TRUE
    )
    AND s."batch__email_marketing" = FALSE
  )
  OR (
    (
      POSITION(',batch__sms_marketing,' IN ',' || d."_batch_changed" || ',') > 0
      AND d."BATCH__SMS_MARKETING" IN ('subscribed', 'true')
    )
    AND s."BATCH__SMS_MARKETING" IN ('unsubscribed', 'false')
  )
LIMIT 1;

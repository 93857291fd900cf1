SELECT
  1
FROM "my-db"."Marketing"."people_delta" AS d
JOIN "my-db"."Marketing"."people_sent_snapshot" AS s
  ON s."custom_id" = d."custom_id"
LEFT JOIN (
  SELECT
    custom_id,
    MAX(CASE WHEN attribute = 'batch__email_marketing' THEN 1 END) AS batch__email_marketing,
    MAX(CASE WHEN attribute = 'batch__sms_marketing' THEN 1 END) AS batch__sms_marketing
  FROM "my-db"."Marketing".batch_sync_rejects
  WHERE
    sync = :sync AND reason = 'never_resubscribe' AND resolved_at IS NULL
  GROUP BY
    custom_id
) AS withheld
  ON withheld.custom_id = d."custom_id"
WHERE
  (
    (
      CHARINDEX(',batch__email_marketing,', ',' || d."_batch_changed" || ',') > 0
      AND d."batch__email_marketing" = TRUE
    )
    AND (
      s."batch__email_marketing" = FALSE OR NOT withheld.batch__email_marketing IS NULL
    )
  )
  OR (
    (
      CHARINDEX(',batch__sms_marketing,', ',' || d."_batch_changed" || ',') > 0
      AND d."BATCH__SMS_MARKETING" IN ('subscribed', 'true')
    )
    AND (
      s."BATCH__SMS_MARKETING" IN ('unsubscribed', 'false')
      OR NOT withheld.batch__sms_marketing IS NULL
    )
  )
LIMIT 1;

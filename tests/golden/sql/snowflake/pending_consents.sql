SELECT
  d."custom_id" AS custom_id,
  d."_batch_change" AS _batch_change,
  TRIM(
    CASE
      WHEN (
        CHARINDEX(',batch__sms_marketing,', ',' || d."_batch_changed" || ',') > 0
        AND d."BATCH__SMS_MARKETING" IN ('subscribed', 'true')
      )
      AND s."BATCH__SMS_MARKETING" IN ('unsubscribed', 'false')
      THEN REPLACE(
        CASE
          WHEN (
            CHARINDEX(',batch__email_marketing,', ',' || d."_batch_changed" || ',') > 0
            AND d."batch__email_marketing" = TRUE
          )
          AND s."batch__email_marketing" = FALSE
          THEN REPLACE(',' || d."_batch_changed" || ',', ',batch__email_marketing,', ',')
          ELSE ',' || d."_batch_changed" || ','
        END,
        ',batch__sms_marketing,',
        ','
      )
      ELSE CASE
        WHEN (
          CHARINDEX(',batch__email_marketing,', ',' || d."_batch_changed" || ',') > 0
          AND d."batch__email_marketing" = TRUE
        )
        AND s."batch__email_marketing" = FALSE
        THEN REPLACE(',' || d."_batch_changed" || ',', ',batch__email_marketing,', ',')
        ELSE ',' || d."_batch_changed" || ','
      END
    END,
    ','
  ) AS _batch_changed,
  CAST(NULL AS VARCHAR) AS _batch_parked,
  NULLIF(
    '' || CASE
      WHEN (
        CHARINDEX(',batch__email_marketing,', ',' || d."_batch_changed" || ',') > 0
        AND d."batch__email_marketing" = TRUE
      )
      AND s."batch__email_marketing" = FALSE
      THEN 'batch__email_marketing,'
      ELSE ''
    END || CASE
      WHEN (
        CHARINDEX(',batch__sms_marketing,', ',' || d."_batch_changed" || ',') > 0
        AND d."BATCH__SMS_MARKETING" IN ('subscribed', 'true')
      )
      AND s."BATCH__SMS_MARKETING" IN ('unsubscribed', 'false')
      THEN 'batch__sms_marketing,'
      ELSE ''
    END,
    ''
  ) AS _batch_blocked,
  d."batch__email_marketing" AS "batch__email_marketing",
  d."BATCH__SMS_MARKETING" AS "batch__sms_marketing",
  d."tags" AS "tags",
  d."points" AS "points"
FROM "my-db"."Marketing"."people_delta" AS d
LEFT JOIN "my-db"."Marketing"."people_sent_snapshot" AS s
  ON s."custom_id" = d."custom_id"
WHERE
  d."_batch_change" <> 'invalid'
ORDER BY
  d."custom_id";

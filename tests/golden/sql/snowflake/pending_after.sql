SELECT
  d."custom_id" AS custom_id,
  d."_batch_change" AS _batch_change,
  CASE WHEN d."_batch_change" <> 'insert' THEN d."_batch_changed" END AS _batch_changed,
  CAST(NULL AS VARCHAR) AS _batch_parked,
  d."batch__email_marketing" AS "batch__email_marketing",
  d."BATCH__SMS_MARKETING" AS "batch__sms_marketing",
  d."tags" AS "tags",
  d."points" AS "points"
FROM "my-db"."Marketing"."people_delta" AS d
WHERE
  d."_batch_change" <> 'invalid' AND d."custom_id" > :after
ORDER BY
  d."custom_id"
LIMIT 7;

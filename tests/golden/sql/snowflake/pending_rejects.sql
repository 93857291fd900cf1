SELECT
  d."custom_id" AS custom_id,
  d."_batch_change" AS _batch_change,
  CASE WHEN d."_batch_change" <> 'insert' THEN d."_batch_changed" END AS _batch_changed,
  parked.sent_hash AS _batch_parked,
  d."batch__email_marketing" AS "batch__email_marketing",
  d."BATCH__SMS_MARKETING" AS "batch__sms_marketing",
  d."tags" AS "tags",
  d."points" AS "points"
FROM "my-db"."Marketing"."people_delta" AS d
LEFT JOIN (
  SELECT
    custom_id,
    sent_hash
  FROM "my-db"."Marketing".batch_sync_rejects
  WHERE
    sync = :sync AND attribute IS NULL AND resolved_at IS NULL
) AS parked
  ON parked.custom_id = d."custom_id"
WHERE
  d."_batch_change" <> 'invalid'
ORDER BY
  d."custom_id";

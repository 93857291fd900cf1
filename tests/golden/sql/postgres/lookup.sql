SELECT
  "custom_id",
  "batch__email_marketing",
  "BATCH__SMS_MARKETING",
  "tags",
  "points",
  "_batch_sent_at",
  "_batch_run_id",
  "_batch_delta_id",
  "_batch_exited_at",
  "_batch_doubt"
FROM "my-db"."Marketing"."people_sent_snapshot"
WHERE
  "custom_id" = %(custom_id)s
LIMIT 1;
SELECT
  "custom_id",
  "_batch_change",
  "_batch_changed",
  "_batch_reason",
  "_batch_delta_id",
  "_batch_mapping",
  "_batch_types",
  "_batch_doubt",
  "batch__email_marketing",
  "BATCH__SMS_MARKETING",
  "tags",
  "points"
FROM "my-db"."Marketing"."people_delta"
WHERE
  "custom_id" = %(custom_id)s
LIMIT 1;
SELECT
  attribute,
  reason
FROM "my-db"."Marketing".batch_sync_rejects
WHERE
  sync = %(sync)s AND custom_id = %(custom_id)s
ORDER BY
  CASE WHEN resolved_at IS NULL THEN 0 ELSE 1 END,
  last_seen_at DESC NULLS LAST;

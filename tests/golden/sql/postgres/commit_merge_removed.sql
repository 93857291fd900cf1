MERGE INTO "my-db"."Marketing"."people_sent_snapshot" AS s
USING (
  SELECT
    "custom_id" AS "custom_id",
    "_batch_delta_id" AS "_batch_delta_id",
    "_batch_doubt" AS "_batch_doubt",
    "batch__email_marketing" AS "batch__email_marketing",
    "BATCH__SMS_MARKETING" AS "BATCH__SMS_MARKETING",
    "tags" AS "tags",
    "points" AS "points",
    CAST(%(now)s AS TIMESTAMP) AS "_batch_sent_at",
    %(run_id)s AS "_batch_run_id",
    CAST(CASE WHEN "_batch_change" = 'exit' THEN CAST(%(now)s AS TIMESTAMP) END AS TIMESTAMP) AS "_batch_exited_at"
  FROM "my-db"."Marketing"."people_delta"
  WHERE
    (
      "_batch_change" <> 'invalid'
      AND "_batch_delta_id" = %(delta_id)s
      AND "custom_id" <= %(upto)s
    )
    AND NOT "custom_id" IN (
      SELECT
        custom_id
      FROM "my-db"."Marketing".batch_sync_rejects
      WHERE
        sync = %(sync)s AND attribute IS NULL AND resolved_at IS NULL
    )
) AS d
ON s."custom_id" = d."custom_id"
WHEN MATCHED THEN UPDATE SET
  "_batch_delta_id" = d."_batch_delta_id",
  "_batch_doubt" = d."_batch_doubt",
  "batch__email_marketing" = d."batch__email_marketing",
  "BATCH__SMS_MARKETING" = d."BATCH__SMS_MARKETING",
  "tags" = d."tags",
  "points" = d."points",
  "_batch_sent_at" = d."_batch_sent_at",
  "_batch_run_id" = d."_batch_run_id",
  "_batch_exited_at" = d."_batch_exited_at"
WHEN NOT MATCHED THEN INSERT (
  "custom_id",
  "_batch_delta_id",
  "_batch_doubt",
  "batch__email_marketing",
  "BATCH__SMS_MARKETING",
  "tags",
  "points",
  "_batch_sent_at",
  "_batch_run_id",
  "_batch_exited_at"
) VALUES (
  d."custom_id",
  d."_batch_delta_id",
  d."_batch_doubt",
  d."batch__email_marketing",
  d."BATCH__SMS_MARKETING",
  d."tags",
  d."points",
  d."_batch_sent_at",
  d."_batch_run_id",
  d."_batch_exited_at"
);

DELETE FROM "my-db"."Marketing"."people_sent_snapshot"
WHERE
  "custom_id" IN (
    SELECT
      accepted."custom_id"
    FROM (
      SELECT
        "custom_id" AS "custom_id",
        "_batch_delta_id" AS "_batch_delta_id",
        "_batch_doubt" AS "_batch_doubt",
        "batch__email_marketing" AS "batch__email_marketing",
        "BATCH__SMS_MARKETING" AS "BATCH__SMS_MARKETING",
        "tags" AS "tags",
        "points" AS "points",
        CAST(:now AS TIMESTAMP) AS "_batch_sent_at",
        :run_id AS "_batch_run_id",
        CAST(CASE WHEN "_batch_change" = 'exit' THEN CAST(:now AS TIMESTAMP) END AS TIMESTAMP) AS "_batch_exited_at"
      FROM "my-db"."Marketing"."people_delta"
      WHERE
        (
          "_batch_change" <> 'invalid'
          AND "_batch_delta_id" = :delta_id
          AND "custom_id" <= :upto
        )
        AND NOT "custom_id" IN (
          SELECT
            custom_id
          FROM "my-db"."Marketing".batch_sync_rejects
          WHERE
            sync = :sync AND attribute IS NULL AND resolved_at IS NULL
        )
    ) AS accepted
  );
INSERT INTO "my-db"."Marketing"."people_sent_snapshot" (
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
)
SELECT
  "custom_id" AS "custom_id",
  "_batch_delta_id" AS "_batch_delta_id",
  "_batch_doubt" AS "_batch_doubt",
  "batch__email_marketing" AS "batch__email_marketing",
  "BATCH__SMS_MARKETING" AS "BATCH__SMS_MARKETING",
  "tags" AS "tags",
  "points" AS "points",
  CAST(:now AS TIMESTAMP) AS "_batch_sent_at",
  :run_id AS "_batch_run_id",
  CAST(CASE WHEN "_batch_change" = 'exit' THEN CAST(:now AS TIMESTAMP) END AS TIMESTAMP) AS "_batch_exited_at"
FROM "my-db"."Marketing"."people_delta"
WHERE
  (
    "_batch_change" <> 'invalid'
    AND "_batch_delta_id" = :delta_id
    AND "custom_id" <= :upto
  )
  AND NOT "custom_id" IN (
    SELECT
      custom_id
    FROM "my-db"."Marketing".batch_sync_rejects
    WHERE
      sync = :sync AND attribute IS NULL AND resolved_at IS NULL
  );

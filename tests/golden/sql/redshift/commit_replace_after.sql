UPDATE "my-db"."Marketing".batch_sync_rejects SET resolved_at = CAST(%(now)s AS TIMESTAMP)
FROM (
  SELECT DISTINCT
    r.custom_id AS custom_id,
    r.attribute AS attribute
  FROM "my-db"."Marketing".batch_sync_rejects AS r
  JOIN "my-db"."Marketing"."people_delta" AS d
    ON d."custom_id" = r.custom_id
  WHERE
    (
      (
        d."_batch_change" <> 'invalid'
        AND d."_batch_delta_id" = %(delta_id)s
        AND d."custom_id" <= %(upto)s
        AND d."custom_id" > %(after)s
      )
      AND r.sync = %(sync)s
      AND r.resolved_at IS NULL
      AND r.run_id <> %(run_id)s
    )
    AND (
      r.attribute IS NULL
      OR POSITION(',' || r.attribute || ',' IN ',' || d."_batch_changed" || ',') > 0
    )
) AS n
WHERE
  batch_sync_rejects.custom_id = n.custom_id
  AND COALESCE(batch_sync_rejects.attribute, '') = COALESCE(n.attribute, '')
  AND batch_sync_rejects.sync = %(sync)s
  AND batch_sync_rejects.resolved_at IS NULL
  AND batch_sync_rejects.run_id <> %(run_id)s;
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
        CAST(%(now)s AS TIMESTAMP) AS "_batch_sent_at",
        %(run_id)s AS "_batch_run_id",
        CAST(CASE WHEN "_batch_change" = 'exit' THEN CAST(%(now)s AS TIMESTAMP) END AS TIMESTAMP) AS "_batch_exited_at"
      FROM "my-db"."Marketing"."people_delta"
      WHERE
        (
          "_batch_change" <> 'invalid'
          AND "_batch_delta_id" = %(delta_id)s
          AND "custom_id" <= %(upto)s
          AND "custom_id" > %(after)s
        )
        AND NOT "custom_id" IN (
          SELECT
            custom_id
          FROM "my-db"."Marketing".batch_sync_rejects
          WHERE
            sync = %(sync)s AND attribute IS NULL AND resolved_at IS NULL
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
  CAST(%(now)s AS TIMESTAMP) AS "_batch_sent_at",
  %(run_id)s AS "_batch_run_id",
  CAST(CASE WHEN "_batch_change" = 'exit' THEN CAST(%(now)s AS TIMESTAMP) END AS TIMESTAMP) AS "_batch_exited_at"
FROM "my-db"."Marketing"."people_delta"
WHERE
  (
    "_batch_change" <> 'invalid'
    AND "_batch_delta_id" = %(delta_id)s
    AND "custom_id" <= %(upto)s
    AND "custom_id" > %(after)s
  )
  AND NOT "custom_id" IN (
    SELECT
      custom_id
    FROM "my-db"."Marketing".batch_sync_rejects
    WHERE
      sync = %(sync)s AND attribute IS NULL AND resolved_at IS NULL
  );

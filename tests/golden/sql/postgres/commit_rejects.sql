SELECT
  "_batch_delta_id",
  "_batch_mapping",
  "_batch_types"
FROM "my-db"."Marketing"."people_delta"
LIMIT 1;
MERGE INTO "my-db"."Marketing".batch_sync_rejects AS o
USING (
  SELECT
    *
  FROM "my-db"."Marketing".batch_sync_rejects
  WHERE
    staged = TRUE
) AS n
ON o.sync = n.sync
AND o.custom_id = n.custom_id
AND COALESCE(o.attribute, '') = COALESCE(n.attribute, '')
AND o.staged = FALSE
WHEN MATCHED THEN UPDATE SET
  rejected_by = n.rejected_by,
  last_seen_at = n.last_seen_at,
  run_id = n.run_id,
  sent_hash = n.sent_hash,
  resolved_at = n.resolved_at,
  attempts = o.attempts + n.attempts,
  reason = CASE WHEN n.attempts = 0 THEN o.reason ELSE n.reason END
WHEN NOT MATCHED THEN INSERT (
  sync,
  custom_id,
  attribute,
  reason,
  rejected_by,
  first_seen_at,
  last_seen_at,
  attempts,
  run_id,
  sent_hash,
  resolved_at,
  staged
) VALUES (
  n.sync,
  n.custom_id,
  n.attribute,
  n.reason,
  n.rejected_by,
  n.first_seen_at,
  n.last_seen_at,
  n.attempts,
  n.run_id,
  n.sent_hash,
  n.resolved_at,
  FALSE
);
DELETE FROM "my-db"."Marketing".batch_sync_rejects
WHERE
  staged = TRUE;
MERGE INTO "my-db"."Marketing".batch_sync_rejects AS o
USING (
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
ON o.custom_id = n.custom_id
AND COALESCE(o.attribute, '') = COALESCE(n.attribute, '')
AND o.sync = %(sync)s
AND o.resolved_at IS NULL
AND o.run_id <> %(run_id)s
WHEN MATCHED THEN UPDATE SET
  resolved_at = CAST(%(now)s AS TIMESTAMP);
MERGE INTO "my-db"."Marketing"."people_sent_snapshot" AS s
USING (
  SELECT
    "custom_id" AS custom_id,
    ',' || REPLACE("_batch_changed", ',', ',,') || ',' AS names
  FROM "my-db"."Marketing"."people_delta"
  WHERE
    (
      "_batch_change" <> 'invalid'
      AND (
        (
          "_batch_change" <> 'invalid'
          AND "_batch_delta_id" = %(delta_id)s
          AND "custom_id" <= %(upto)s
        )
        AND "custom_id" IN (
          SELECT
            custom_id
          FROM "my-db"."Marketing".batch_sync_rejects
          WHERE
            (
              sync = %(sync)s AND attribute IS NULL AND resolved_at IS NULL
            )
            AND run_id = %(run_id)s
        )
      )
    )
    AND "_batch_changed" <> ''
) AS d
ON s."custom_id" = d.custom_id
WHEN MATCHED THEN UPDATE SET
  "_batch_doubt" = CASE
    WHEN POSITION(d.names IN COALESCE(s."_batch_doubt", '')) > 0
    THEN COALESCE(s."_batch_doubt", '')
    ELSE COALESCE(s."_batch_doubt", '') || d.names
  END
WHEN NOT MATCHED THEN INSERT ("custom_id", "_batch_doubt") VALUES (d.custom_id, d.names);
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
  )
  AND NOT "custom_id" IN (
    SELECT
      custom_id
    FROM "my-db"."Marketing".batch_sync_rejects
    WHERE
      sync = %(sync)s AND attribute IS NULL AND resolved_at IS NULL
  );
UPDATE "my-db"."Marketing".batch_sync_runs SET status = CAST(%(status)s AS TEXT), finished_at = CAST(%(finished_at)s AS TIMESTAMP), heartbeat_at = CAST(%(heartbeat_at)s AS TIMESTAMP), delta_id = CAST(%(delta_id)s AS TEXT), endpoint = CAST(%(endpoint)s AS TEXT), output = CAST(%(output)s AS TEXT), project_hash = CAST(%(project_hash)s AS TEXT), mapping_hash = CAST(%(mapping_hash)s AS TEXT), attribute_types = CAST(%(attribute_types)s AS TEXT), tool_version = CAST(%(tool_version)s AS TEXT), host = CAST(%(host)s AS TEXT), process = CAST(%(process)s AS BIGINT), inserts = CAST(%(inserts)s AS BIGINT), updates = CAST(%(updates)s AS BIGINT), exits = CAST(%(exits)s AS BIGINT), invalid = CAST(%(invalid)s AS BIGINT), sent = CAST(%(sent)s AS BIGINT), accepted = CAST(%(accepted)s AS BIGINT), rejected_rows = CAST(%(rejected_rows)s AS BIGINT), rejected_attributes = CAST(%(rejected_attributes)s AS BIGINT), parked = CAST(%(parked)s AS BIGINT), requests = CAST(%(requests)s AS BIGINT), retries = CAST(%(retries)s AS BIGINT), committed = CAST(%(committed)s AS BIGINT), seconds = CAST(%(seconds)s AS DOUBLE PRECISION), reading_seconds = CAST(%(reading_seconds)s AS DOUBLE PRECISION), rendering_seconds = CAST(%(rendering_seconds)s AS DOUBLE PRECISION), sending_seconds = CAST(%(sending_seconds)s AS DOUBLE PRECISION), committing_seconds = CAST(%(committing_seconds)s AS DOUBLE PRECISION), intent_position = CAST(%(intent_position)s AS BIGINT), committed_position = CAST(%(committed_position)s AS BIGINT), committed_key = CAST(%(committed_key)s AS TEXT), error = CAST(%(error)s AS TEXT)
WHERE
  run_id = %(run_id)s AND sync = %(sync)s;

SELECT
  "_batch_delta_id",
  "_batch_mapping",
  "_batch_types"
FROM "my-db"."Marketing"."people_delta"
LIMIT 1;
UPDATE "my-db"."Marketing".batch_sync_rejects SET rejected_by = n.rejected_by, last_seen_at = n.last_seen_at, run_id = n.run_id, sent_hash = n.sent_hash, resolved_at = n.resolved_at, attempts = batch_sync_rejects.attempts + n.attempts, reason = CASE WHEN n.attempts = 0 THEN batch_sync_rejects.reason ELSE n.reason END
FROM (
  SELECT
    *
  FROM "my-db"."Marketing".batch_sync_rejects
  WHERE
    staged = TRUE
) AS n
WHERE
  batch_sync_rejects.sync = n.sync
  AND batch_sync_rejects.custom_id = n.custom_id
  AND COALESCE(batch_sync_rejects.attribute, '') = COALESCE(n.attribute, '')
  AND batch_sync_rejects.staged = FALSE;
INSERT INTO "my-db"."Marketing".batch_sync_rejects (
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
)
SELECT
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
FROM (
  SELECT
    *
  FROM "my-db"."Marketing".batch_sync_rejects
  WHERE
    staged = TRUE
) AS n
LEFT JOIN "my-db"."Marketing".batch_sync_rejects AS o
  ON o.sync = n.sync
  AND o.custom_id = n.custom_id
  AND COALESCE(o.attribute, '') = COALESCE(n.attribute, '')
  AND o.staged = FALSE
WHERE
  o.staged IS NULL;
DELETE FROM "my-db"."Marketing".batch_sync_rejects
WHERE
  staged = TRUE;
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
UPDATE "my-db"."Marketing"."people_sent_snapshot" SET "_batch_doubt" = CASE
  WHEN POSITION(d.names IN COALESCE("people_sent_snapshot"."_batch_doubt", '')) > 0
  THEN COALESCE("people_sent_snapshot"."_batch_doubt", '')
  ELSE COALESCE("people_sent_snapshot"."_batch_doubt", '') || d.names
END
FROM (
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
WHERE
  "people_sent_snapshot"."custom_id" = d.custom_id;
INSERT INTO "my-db"."Marketing"."people_sent_snapshot" (
  "custom_id",
  "_batch_doubt"
)
SELECT
  d.custom_id,
  d.names
FROM (
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
LEFT JOIN "my-db"."Marketing"."people_sent_snapshot" AS s
  ON s."custom_id" = d.custom_id
WHERE
  s."custom_id" IS NULL;
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
UPDATE "my-db"."Marketing".batch_sync_runs SET status = CAST(%(status)s AS VARCHAR(65535)), finished_at = CAST(%(finished_at)s AS TIMESTAMP), heartbeat_at = CAST(%(heartbeat_at)s AS TIMESTAMP), delta_id = CAST(%(delta_id)s AS VARCHAR(65535)), endpoint = CAST(%(endpoint)s AS VARCHAR(65535)), output = CAST(%(output)s AS VARCHAR(65535)), project_hash = CAST(%(project_hash)s AS VARCHAR(65535)), mapping_hash = CAST(%(mapping_hash)s AS VARCHAR(65535)), attribute_types = CAST(%(attribute_types)s AS VARCHAR(65535)), tool_version = CAST(%(tool_version)s AS VARCHAR(65535)), host = CAST(%(host)s AS VARCHAR(65535)), process = CAST(%(process)s AS BIGINT), inserts = CAST(%(inserts)s AS BIGINT), updates = CAST(%(updates)s AS BIGINT), exits = CAST(%(exits)s AS BIGINT), invalid = CAST(%(invalid)s AS BIGINT), sent = CAST(%(sent)s AS BIGINT), accepted = CAST(%(accepted)s AS BIGINT), rejected_rows = CAST(%(rejected_rows)s AS BIGINT), rejected_attributes = CAST(%(rejected_attributes)s AS BIGINT), parked = CAST(%(parked)s AS BIGINT), requests = CAST(%(requests)s AS BIGINT), retries = CAST(%(retries)s AS BIGINT), committed = CAST(%(committed)s AS BIGINT), seconds = CAST(%(seconds)s AS DOUBLE PRECISION), reading_seconds = CAST(%(reading_seconds)s AS DOUBLE PRECISION), rendering_seconds = CAST(%(rendering_seconds)s AS DOUBLE PRECISION), sending_seconds = CAST(%(sending_seconds)s AS DOUBLE PRECISION), committing_seconds = CAST(%(committing_seconds)s AS DOUBLE PRECISION), intent_position = CAST(%(intent_position)s AS BIGINT), committed_position = CAST(%(committed_position)s AS BIGINT), committed_key = CAST(%(committed_key)s AS VARCHAR(65535)), error = CAST(%(error)s AS VARCHAR(65535))
WHERE
  run_id = %(run_id)s AND sync = %(sync)s;

SELECT
  `_batch_delta_id`,
  `_batch_mapping`,
  `_batch_types`
FROM `my-db`.`Marketing`.`people_delta`
LIMIT 1;
MERGE INTO `my-db`.`Marketing`.batch_sync_rejects AS o
USING (
  SELECT
    *
  FROM `my-db`.`Marketing`.batch_sync_rejects
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
DELETE FROM `my-db`.`Marketing`.batch_sync_rejects
WHERE
  staged = TRUE;
MERGE INTO `my-db`.`Marketing`.batch_sync_rejects AS o
USING (
  SELECT DISTINCT
    r.custom_id AS custom_id,
    r.attribute AS attribute
  FROM `my-db`.`Marketing`.batch_sync_rejects AS r
  JOIN `my-db`.`Marketing`.`people_delta` AS d
    ON d.`custom_id` = r.custom_id
  WHERE
    (
      (
        d.`_batch_change` <> 'invalid'
        AND d.`_batch_delta_id` = :delta_id
        AND d.`custom_id` <= :upto
      )
      AND r.sync = :sync
      AND r.resolved_at IS NULL
      AND r.run_id <> :run_id
    )
    AND (
      r.attribute IS NULL
      OR LOCATE(',' || r.attribute || ',', ',' || d.`_batch_changed` || ',') > 0
    )
) AS n
ON o.custom_id = n.custom_id
AND COALESCE(o.attribute, '') = COALESCE(n.attribute, '')
AND o.sync = :sync
AND o.resolved_at IS NULL
AND o.run_id <> :run_id
WHEN MATCHED THEN UPDATE SET
  resolved_at = CAST(:now AS TIMESTAMP);
MERGE INTO `my-db`.`Marketing`.`people_sent_snapshot` AS s
USING (
  SELECT
    `custom_id` AS custom_id,
    ',' || REPLACE(`_batch_changed`, ',', ',,') || ',' AS names
  FROM `my-db`.`Marketing`.`people_delta`
  WHERE
    (
      `_batch_change` <> 'invalid'
      AND (
        (
          `_batch_change` <> 'invalid'
          AND `_batch_delta_id` = :delta_id
          AND `custom_id` <= :upto
        )
        AND `custom_id` IN (
          SELECT
            custom_id
          FROM `my-db`.`Marketing`.batch_sync_rejects
          WHERE
            (
              sync = :sync AND attribute IS NULL AND resolved_at IS NULL
            )
            AND run_id = :run_id
        )
      )
    )
    AND `_batch_changed` <> ''
) AS d
ON s.`custom_id` = d.custom_id
WHEN MATCHED THEN UPDATE SET
  `_batch_doubt` = CASE
    WHEN LOCATE(d.names, COALESCE(s.`_batch_doubt`, '')) > 0
    THEN COALESCE(s.`_batch_doubt`, '')
    ELSE COALESCE(s.`_batch_doubt`, '') || d.names
  END
WHEN NOT MATCHED THEN INSERT (`custom_id`, `_batch_doubt`) VALUES (d.custom_id, d.names);
MERGE INTO `my-db`.`Marketing`.`people_sent_snapshot` AS o
USING (
  SELECT DISTINCT
    `custom_id`
  FROM `my-db`.`Marketing`.`people_sent_snapshot`
  WHERE
    `custom_id` IN (
      SELECT
        accepted.`custom_id`
      FROM (
        SELECT
          `custom_id` AS `custom_id`,
          `_batch_delta_id` AS `_batch_delta_id`,
          `_batch_doubt` AS `_batch_doubt`,
          `batch__email_marketing` AS `batch__email_marketing`,
          `BATCH__SMS_MARKETING` AS `BATCH__SMS_MARKETING`,
          `tags` AS `tags`,
          `points` AS `points`,
          CAST(:now AS TIMESTAMP) AS `_batch_sent_at`,
          :run_id AS `_batch_run_id`,
          CAST(CASE WHEN `_batch_change` = 'exit' THEN CAST(:now AS TIMESTAMP) END AS TIMESTAMP) AS `_batch_exited_at`
        FROM `my-db`.`Marketing`.`people_delta`
        WHERE
          (
            `_batch_change` <> 'invalid'
            AND `_batch_delta_id` = :delta_id
            AND `custom_id` <= :upto
          )
          AND NOT `custom_id` IN (
            SELECT
              custom_id
            FROM `my-db`.`Marketing`.batch_sync_rejects
            WHERE
              sync = :sync AND attribute IS NULL AND resolved_at IS NULL
          )
      ) AS accepted
    )
) AS n
ON `o`.`custom_id` IS NOT DISTINCT FROM `n`.`custom_id`
WHEN MATCHED THEN DELETE;
INSERT INTO `my-db`.`Marketing`.`people_sent_snapshot` (
  `custom_id`,
  `_batch_delta_id`,
  `_batch_doubt`,
  `batch__email_marketing`,
  `BATCH__SMS_MARKETING`,
  `tags`,
  `points`,
  `_batch_sent_at`,
  `_batch_run_id`,
  `_batch_exited_at`
)
SELECT
  `custom_id` AS `custom_id`,
  `_batch_delta_id` AS `_batch_delta_id`,
  `_batch_doubt` AS `_batch_doubt`,
  `batch__email_marketing` AS `batch__email_marketing`,
  `BATCH__SMS_MARKETING` AS `BATCH__SMS_MARKETING`,
  `tags` AS `tags`,
  `points` AS `points`,
  CAST(:now AS TIMESTAMP) AS `_batch_sent_at`,
  :run_id AS `_batch_run_id`,
  CAST(CASE WHEN `_batch_change` = 'exit' THEN CAST(:now AS TIMESTAMP) END AS TIMESTAMP) AS `_batch_exited_at`
FROM `my-db`.`Marketing`.`people_delta`
WHERE
  (
    `_batch_change` <> 'invalid'
    AND `_batch_delta_id` = :delta_id
    AND `custom_id` <= :upto
  )
  AND NOT `custom_id` IN (
    SELECT
      custom_id
    FROM `my-db`.`Marketing`.batch_sync_rejects
    WHERE
      sync = :sync AND attribute IS NULL AND resolved_at IS NULL
  );
UPDATE `my-db`.`Marketing`.batch_sync_runs SET status = CAST(:status AS STRING), finished_at = CAST(:finished_at AS TIMESTAMP), heartbeat_at = CAST(:heartbeat_at AS TIMESTAMP), delta_id = CAST(:delta_id AS STRING), endpoint = CAST(:endpoint AS STRING), output = CAST(:output AS STRING), project_hash = CAST(:project_hash AS STRING), mapping_hash = CAST(:mapping_hash AS STRING), attribute_types = CAST(:attribute_types AS STRING), tool_version = CAST(:tool_version AS STRING), host = CAST(:host AS STRING), process = CAST(:process AS BIGINT), inserts = CAST(:inserts AS BIGINT), updates = CAST(:updates AS BIGINT), exits = CAST(:exits AS BIGINT), invalid = CAST(:invalid AS BIGINT), sent = CAST(:sent AS BIGINT), accepted = CAST(:accepted AS BIGINT), rejected_rows = CAST(:rejected_rows AS BIGINT), rejected_attributes = CAST(:rejected_attributes AS BIGINT), parked = CAST(:parked AS BIGINT), requests = CAST(:requests AS BIGINT), retries = CAST(:retries AS BIGINT), committed = CAST(:committed AS BIGINT), seconds = CAST(:seconds AS DOUBLE), reading_seconds = CAST(:reading_seconds AS DOUBLE), rendering_seconds = CAST(:rendering_seconds AS DOUBLE), sending_seconds = CAST(:sending_seconds AS DOUBLE), committing_seconds = CAST(:committing_seconds AS DOUBLE), intent_position = CAST(:intent_position AS BIGINT), committed_position = CAST(:committed_position AS BIGINT), committed_key = CAST(:committed_key AS STRING), error = CAST(:error AS STRING)
WHERE
  run_id = :run_id AND sync = :sync;

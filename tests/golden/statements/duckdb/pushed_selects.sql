SELECT
  clock.now_at,
  events.recorded_at,
  events.sync,
  events.event,
  events.run_id,
  events.delta_id,
  events.page,
  events.key,
  events.names,
  events.request,
  events.answered,
  events.target,
  events.mapping_hash,
  events.attribute_types,
  events.mode,
  events.version,
  events.model_rows,
  events.known_rows,
  events.inserts,
  events.updates,
  events.exits,
  events.invalid,
  events.parked,
  events.unsure,
  events.output,
  events.project_hash,
  events.endpoint,
  events.host,
  events.process,
  events.status,
  events.started_at,
  events.sent,
  events.accepted,
  events.rejected_rows,
  events.rejected_attributes,
  events.requests,
  events.retries,
  events.settled,
  events.retention_days,
  events.compared,
  events.drifted,
  events.unknown_profiles
FROM (
  SELECT
    CURRENT_TIMESTAMP AS now_at
) AS clock
LEFT JOIN (
  SELECT
    recorded_at,
    sync,
    event,
    run_id,
    delta_id,
    page,
    key,
    names,
    request,
    answered,
    target,
    mapping_hash,
    attribute_types,
    mode,
    version,
    model_rows,
    known_rows,
    inserts,
    updates,
    exits,
    invalid,
    parked,
    unsure,
    output,
    project_hash,
    endpoint,
    host,
    process,
    status,
    started_at,
    sent,
    accepted,
    rejected_rows,
    rejected_attributes,
    requests,
    retries,
    settled,
    retention_days,
    compared,
    drifted,
    unknown_profiles
  FROM (
    SELECT
      j.recorded_at,
      j.sync,
      j.event,
      j.run_id,
      j.delta_id,
      j.page,
      j.key,
      j.names,
      j.request,
      j.answered,
      j.target,
      j.mapping_hash,
      j.attribute_types,
      j.mode,
      j.version,
      j.model_rows,
      j.known_rows,
      j.inserts,
      j.updates,
      j.exits,
      j.invalid,
      j.parked,
      j.unsure,
      j.output,
      j.project_hash,
      j.endpoint,
      j.host,
      j.process,
      j.status,
      j.started_at,
      j.sent,
      j.accepted,
      j.rejected_rows,
      j.rejected_attributes,
      j.requests,
      j.retries,
      j.settled,
      j.retention_days,
      j.compared,
      j.drifted,
      j.unknown_profiles,
      ROW_NUMBER() OVER (PARTITION BY j.sync, j.event, j.run_id, j.delta_id ORDER BY j.recorded_at DESC) AS nth
    FROM "shop"."marts".batch_sync_journal AS j
    LEFT JOIN (
      SELECT
        sync,
        MAX(CASE WHEN event = 'built' THEN recorded_at END) AS built_at,
        MAX(CASE WHEN event = 'intent' THEN recorded_at END) AS intent_at,
        MAX(CASE WHEN event = 'built' AND request = 'all' THEN recorded_at END) AS all_at
      FROM "shop"."marts".batch_sync_journal
      WHERE
        sync IN ('people', 'others') AND event IN ('built', 'intent')
      GROUP BY
        sync
    ) AS marks
      ON marks.sync = j.sync
    LEFT JOIN (
      SELECT
        sync,
        run_id
      FROM "shop"."marts".batch_sync_journal
      WHERE
        sync IN ('people', 'others') AND event IN ('claimed', 'released', 'ended')
      GROUP BY
        sync,
        run_id
      HAVING
        MAX(recorded_at) = MAX(CASE WHEN event = 'claimed' THEN recorded_at END)
    ) AS unfinished
      ON unfinished.sync = j.sync AND unfinished.run_id = j.run_id
    WHERE
      j.sync IN ('people', 'others')
      AND NOT j.event IN ('doubt', 'resend', 'export', 'audited', 'asked', 'pending', 'done')
      AND (
        j.recorded_at >= marks.built_at
        OR j.recorded_at = marks.intent_at
        OR j.recorded_at = marks.all_at
        OR NOT unfinished.run_id IS NULL
      )
  ) AS numbered
  WHERE
    nth = 1
) AS events
  ON TRUE;
SELECT
  "_batch_page" AS page,
  "_batch_change" AS change,
  COUNT(*) AS row_count,
  SUM(
    CASE
      WHEN "_batch_change" <> 'invalid'
      AND (
        "_batch_changed" <> '' OR "_batch_reason" <> ''
      )
      THEN 1
      ELSE 0
    END
  ) AS "sending"
FROM "shop"."marts"."people_delta"
WHERE
  "_batch_delta_id" = $delta_id AND "_batch_page" > $page
GROUP BY
  "_batch_page",
  "_batch_change";
SELECT
  "custom_id",
  "_batch_page",
  "nick" AS "nick",
  "tags" AS "tags"
FROM "shop"."marts"."people_delta"
WHERE
  "_batch_page" BETWEEN $first AND $last
  AND "_batch_delta_id" = $delta_id
  AND "_batch_page" > $page
  AND (
    "_batch_change" <> 'invalid'
    AND (
      "_batch_changed" <> '' OR "_batch_reason" <> ''
    )
  );
SELECT
  "custom_id",
  "_batch_page",
  "_batch_change",
  CASE WHEN "_batch_change" <> 'insert' THEN "_batch_changed" END AS "_batch_changed",
  "_batch_reason",
  "nick" AS "nick",
  "tags" AS "tags"
FROM "shop"."marts"."people_delta"
WHERE
  "_batch_page" BETWEEN $first AND $last
  AND "_batch_delta_id" = $delta_id
  AND "_batch_page" > $page
  AND (
    "_batch_page" > 5 OR "custom_id" > $key
  )
  AND (
    "_batch_change" <> 'invalid'
    AND (
      "_batch_changed" <> '' OR "_batch_reason" <> ''
    )
  )
ORDER BY
  "_batch_page",
  "custom_id"
LIMIT 10;
SELECT
  "_batch_change" AS change,
  "_batch_reason" AS reason,
  COUNT(*) AS row_count,
  SUM(CASE WHEN "_batch_changed" <> '' THEN 1 ELSE 0 END) AS sending,
  SUM(CASE WHEN STRPOS(',' || "_batch_changed" || ',', ',nick,') > 0 THEN 1 ELSE 0 END) AS "sends_0",
  SUM(CASE WHEN STRPOS(',' || "_batch_changed" || ',', ',tags,') > 0 THEN 1 ELSE 0 END) AS "sends_1"
FROM "shop"."marts"."people_delta"
WHERE
  "_batch_delta_id" = $delta_id
  AND (
    "_batch_change" = 'invalid'
    OR (
      "_batch_page" > $page AND (
        "_batch_page" > 5 OR "custom_id" > $key
      )
    )
  )
GROUP BY
  "_batch_change",
  "_batch_reason";
SELECT
  SUM(
    CASE
      WHEN STRPOS(',' || d."_batch_changed" || ',', ',nick,') > 0
      AND NOT s."nick" IS NULL
      AND NOT STRPOS(COALESCE(s."_batch_doubt", ''), ',nick,') > 0
      THEN 1
      ELSE 0
    END
  ) AS "again_0",
  SUM(
    CASE
      WHEN STRPOS(',' || d."_batch_changed" || ',', ',tags,') > 0
      AND NOT s."tags" IS NULL
      AND NOT STRPOS(COALESCE(s."_batch_doubt", ''), ',tags,') > 0
      THEN 1
      ELSE 0
    END
  ) AS "again_1"
FROM "shop"."marts"."people_delta" AS d
JOIN "shop"."marts"."people_sent_snapshot" AS s
  ON s."custom_id" = d."custom_id"
WHERE
  (
    d."_batch_change" = 'update' AND s."_batch_delta_id" = $last
  )
  AND d."_batch_delta_id" = $delta_id
  AND d."_batch_page" > $page
  AND (
    d."_batch_page" > 5 OR d."custom_id" > $key
  );
SELECT
  d."_batch_change" AS change,
  d."_batch_changed" AS changed,
  d."custom_id" AS sample_key,
  s."nick" AS "old_0",
  s."tags" AS "old_1",
  d."nick" AS "new_0",
  d."tags" AS "new_1"
FROM (
  SELECT
    *
  FROM "shop"."marts"."people_delta"
  WHERE
    "_batch_change" <> 'invalid'
    AND "_batch_changed" <> ''
    AND "_batch_delta_id" = $delta_id
    AND "_batch_page" > $page
    AND (
      "_batch_page" > 5 OR "custom_id" > $key
    )
  ORDER BY
    CASE WHEN "_batch_change" = 'update' THEN 0 ELSE 1 END,
    "custom_id"
  LIMIT 5
) AS d
LEFT JOIN "shop"."marts"."people_sent_snapshot" AS s
  ON s."custom_id" = d."custom_id";
SELECT
  "custom_id" AS "custom_id",
  "batch__email_marketing" AS "batch__email_marketing",
  "nick" AS "nick",
  "tags" AS "tags",
  "_batch_sent_at" AS "_batch_sent_at",
  "_batch_run_id" AS "_batch_run_id",
  "_batch_delta_id" AS "_batch_delta_id",
  "_batch_exited_at" AS "_batch_exited_at",
  "_batch_doubt" AS "_batch_doubt",
  "_batch_opted_out" AS "_batch_opted_out"
FROM "shop"."marts"."people_sent_snapshot"
WHERE
  "custom_id" = $key
LIMIT 1;
SELECT
  *
FROM "shop"."marts".batch_sync_journal
WHERE
  sync = $sync
  AND delta_id = $delta_id
  AND (
    (
      event = 'checkpoint'
      AND (
        page >= $page OR (
          page = $page_before AND key >= $key
        )
      )
    )
    OR (
      event = 'intent' AND page >= $page
    )
    OR (
      event = 'doubt' AND key = $key
    )
  );

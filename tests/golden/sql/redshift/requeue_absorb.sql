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
      AND NOT "custom_id" IN (
        SELECT
          "custom_id"
        FROM "my-db"."Marketing"."people_sent_snapshot"
        WHERE
          "_batch_delta_id" = %(old_delta_id)s
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
      AND NOT "custom_id" IN (
        SELECT
          "custom_id"
        FROM "my-db"."Marketing"."people_sent_snapshot"
        WHERE
          "_batch_delta_id" = %(old_delta_id)s
      )
    )
    AND "_batch_changed" <> ''
) AS d
LEFT JOIN "my-db"."Marketing"."people_sent_snapshot" AS s
  ON s."custom_id" = d.custom_id
WHERE
  s."custom_id" IS NULL;

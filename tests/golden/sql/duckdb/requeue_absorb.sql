MERGE INTO "my-db"."Marketing"."people_sent_snapshot" AS s
USING (
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
          "_batch_delta_id" = $old_delta_id
      )
    )
    AND "_batch_changed" <> ''
) AS d
ON s."custom_id" = d.custom_id
WHEN MATCHED THEN UPDATE SET
  "_batch_doubt" = CASE
    WHEN STRPOS(COALESCE(s."_batch_doubt", ''), d.names) > 0
    THEN COALESCE(s."_batch_doubt", '')
    ELSE COALESCE(s."_batch_doubt", '') || d.names
  END
WHEN NOT MATCHED THEN INSERT ("custom_id", "_batch_doubt") VALUES (d.custom_id, d.names);

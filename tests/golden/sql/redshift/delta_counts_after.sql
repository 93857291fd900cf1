SELECT
  "_batch_change",
  COUNT(*)
FROM "my-db"."Marketing"."people_delta"
WHERE
  "_batch_change" = 'invalid' OR "custom_id" > %(after)s
GROUP BY
  "_batch_change";

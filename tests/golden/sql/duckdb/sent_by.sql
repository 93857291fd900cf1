SELECT
  COUNT(*)
FROM "my-db"."Marketing"."people_sent_snapshot"
WHERE
  "_batch_delta_id" = $last;

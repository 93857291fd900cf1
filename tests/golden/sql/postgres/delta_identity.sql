SELECT
  "_batch_delta_id",
  "_batch_mapping",
  "_batch_types"
FROM "my-db"."Marketing"."people_delta"
LIMIT 1;

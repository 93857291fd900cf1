SELECT
  place
FROM (
  SELECT
    0 AS place
  FROM "my-db"."Marketing"."people_delta"
  LIMIT 1
) AS found
UNION ALL
SELECT
  place
FROM (
  SELECT
    1 AS place
  FROM "my-db"."Marketing"."people_sent_snapshot"
  LIMIT 1
) AS found
UNION ALL
SELECT
  place
FROM (
  SELECT
    2 AS place
  FROM "my-db"."Marketing"."people_delta"
  LIMIT 1
) AS found;

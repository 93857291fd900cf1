SELECT
  place
FROM (
  SELECT
    0 AS place
  FROM `my-db`.`Marketing`.`people_delta`
  LIMIT 1
) AS found;

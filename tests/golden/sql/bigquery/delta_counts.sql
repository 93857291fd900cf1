SELECT
  `_batch_change`,
  COUNT(*)
FROM `my-db`.`Marketing`.`people_delta`
GROUP BY
  `_batch_change`;

SELECT
  `_batch_reason`,
  COUNT(*)
FROM `my-db`.`Marketing`.`people_delta`
WHERE
  `_batch_change` = 'invalid'
GROUP BY
  `_batch_reason`
ORDER BY
  `_batch_reason`;

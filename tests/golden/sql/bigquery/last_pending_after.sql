SELECT
  COUNT(*),
  MAX(`custom_id`)
FROM `my-db`.`Marketing`.`people_delta`
WHERE
  `_batch_change` <> 'invalid' AND `custom_id` > @after;

SELECT
  d.`custom_id`,
  d.`_batch_change`,
  d.`_batch_changed`,
  s.`batch__email_marketing` AS old_0,
  s.`BATCH__SMS_MARKETING` AS old_1,
  s.`tags` AS old_2,
  s.`points` AS old_3,
  s.`custom_id` AS old_4,
  d.`batch__email_marketing` AS new_0,
  d.`BATCH__SMS_MARKETING` AS new_1,
  d.`tags` AS new_2,
  d.`points` AS new_3,
  d.`custom_id` AS new_4
FROM `my-db`.`Marketing`.`people_delta` AS d
LEFT JOIN `my-db`.`Marketing`.`people_sent_snapshot` AS s
  ON s.`custom_id` = d.`custom_id`
WHERE
  (
    d.`_batch_changed` <> '' AND d.`_batch_change` <> 'invalid'
  )
  AND d.`custom_id` > :after
ORDER BY
  CASE WHEN d.`_batch_change` = 'update' THEN 0 ELSE 1 END,
  d.`custom_id`
LIMIT 5;

SELECT
  (
    SELECT
      COUNT(*)
    FROM `my-db`.`Marketing`.`people_sent_snapshot`
    WHERE
      `_batch_exited_at` IS NULL
  ),
  (
    SELECT
      COUNT(*)
    FROM `my-db`.`Marketing`.`people_delta` AS d
    JOIN `my-db`.`Marketing`.`people_sent_snapshot` AS s
      ON s.`custom_id` = d.`custom_id`
    WHERE
      d.`_batch_change` = 'update' AND NOT s.`_batch_exited_at` IS NULL
  );

SELECT
  SUM(
    CASE
      WHEN INSTR(',' || d.`_batch_changed` || ',', ',batch__email_marketing,') > 0
      AND NOT s.`batch__email_marketing` IS NULL
      THEN 1
      ELSE 0
    END
  ),
  SUM(
    CASE
      WHEN INSTR(',' || d.`_batch_changed` || ',', ',batch__sms_marketing,') > 0
      AND NOT s.`BATCH__SMS_MARKETING` IS NULL
      THEN 1
      ELSE 0
    END
  ),
  SUM(
    CASE
      WHEN INSTR(',' || d.`_batch_changed` || ',', ',tags,') > 0 AND NOT s.`tags` IS NULL
      THEN 1
      ELSE 0
    END
  ),
  SUM(
    CASE
      WHEN INSTR(',' || d.`_batch_changed` || ',', ',points,') > 0
      AND NOT s.`points` IS NULL
      THEN 1
      ELSE 0
    END
  )
FROM `my-db`.`Marketing`.`people_delta` AS d
JOIN `my-db`.`Marketing`.`people_sent_snapshot` AS s
  ON s.`custom_id` = d.`custom_id`
WHERE
  (
    (
      d.`_batch_change` = 'update' AND s.`_batch_delta_id` = @last
    )
    AND d.`_batch_change` <> 'invalid'
  )
  AND d.`custom_id` > @after;

SELECT
  SUM(CASE WHEN `_batch_changed` <> '' THEN 1 ELSE 0 END),
  SUM(
    CASE
      WHEN LOCATE(',batch__email_marketing,', ',' || `_batch_changed` || ',') > 0
      THEN 1
      ELSE 0
    END
  ),
  SUM(
    CASE
      WHEN LOCATE(',batch__sms_marketing,', ',' || `_batch_changed` || ',') > 0
      THEN 1
      ELSE 0
    END
  ),
  SUM(CASE WHEN LOCATE(',tags,', ',' || `_batch_changed` || ',') > 0 THEN 1 ELSE 0 END),
  SUM(
    CASE WHEN LOCATE(',points,', ',' || `_batch_changed` || ',') > 0 THEN 1 ELSE 0 END
  )
FROM `my-db`.`Marketing`.`people_delta`
WHERE
  `_batch_change` <> 'invalid' AND `custom_id` > :after;

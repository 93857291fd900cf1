SELECT
  SUM(CASE WHEN "_batch_changed" <> '' THEN 1 ELSE 0 END),
  SUM(
    CASE
      WHEN STRPOS(',' || "_batch_changed" || ',', ',batch__email_marketing,') > 0
      THEN 1
      ELSE 0
    END
  ),
  SUM(
    CASE
      WHEN STRPOS(',' || "_batch_changed" || ',', ',batch__sms_marketing,') > 0
      THEN 1
      ELSE 0
    END
  ),
  SUM(CASE WHEN STRPOS(',' || "_batch_changed" || ',', ',tags,') > 0 THEN 1 ELSE 0 END),
  SUM(
    CASE WHEN STRPOS(',' || "_batch_changed" || ',', ',points,') > 0 THEN 1 ELSE 0 END
  )
FROM "my-db"."Marketing"."people_delta"
WHERE
  "_batch_change" <> 'invalid' AND "custom_id" > $after;

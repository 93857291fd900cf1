SELECT
  SUM(CASE WHEN "_batch_changed" <> '' THEN 1 ELSE 0 END),
  SUM(
    CASE
      WHEN POSITION(',batch__email_marketing,' IN ',' || "_batch_changed" || ',') > 0
      THEN 1
      ELSE 0
    END
  ),
  SUM(
    CASE
      WHEN POSITION(',batch__sms_marketing,' IN ',' || "_batch_changed" || ',') > 0
      THEN 1
      ELSE 0
    END
  ),
  SUM(
    CASE WHEN POSITION(',tags,' IN ',' || "_batch_changed" || ',') > 0 THEN 1 ELSE 0 END
  ),
  SUM(
    CASE
      WHEN POSITION(',points,' IN ',' || "_batch_changed" || ',') > 0
      THEN 1
      ELSE 0
    END
  )
FROM "my-db"."Marketing"."people_delta"
WHERE
  "_batch_change" <> 'invalid' AND "custom_id" > %(after)s;

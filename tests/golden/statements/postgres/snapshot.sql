create  table "shop"."marts"."people_sent_snapshot"
    as
  (
    select
-- as on DuckDB (9 lines)
                cast(null as text) as "_batch_opted_out" limit 0
  );
create  index if not exists
  "index_1"
  on "shop"."marts"."people_sent_snapshot"
  (custom_id);

-- as on DuckDB (5 lines)
create or replace table shop.marts.people_sent_snapshot
    copy grants
    as (select "CUSTOM_ID", cast(null as NUMBER(18,4)) as "POINTS", cast("PRICE" as FLOAT) as "PRICE", cast("VIP" as VARCHAR) as "VIP", cast(null as NUMBER(38,0)) as "LEVEL", "_BATCH_SENT_AT", "_BATCH_RUN_ID", "_BATCH_DELTA_ID", "_BATCH_EXITED_AT", "_BATCH_DOUBT", "_BATCH_OPTED_OUT" from shop.marts.people_sent_snapshot);

alter session set query_tag = 'crm';
create table shop.marts.people_sent_snapshot
    as (select
-- as on DuckDB (3 lines)
                cast(null as VARCHAR) as "TAGS",
-- as on DuckDB (5 lines)
                cast(null as VARCHAR) as "_BATCH_OPTED_OUT" limit 0);
alter session set query_tag = 'former';

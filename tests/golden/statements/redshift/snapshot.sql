create table "shop"."marts"."people_sent_snapshot"
    diststyle key distkey (custom_id)
    compound sortkey(custom_id)
    as (select
-- as on DuckDB (3 lines)
                cast(null as varchar(65535)) as "tags",
-- as on DuckDB (5 lines)
                cast(null as varchar(4096)) as "_batch_opted_out" limit 0);
select db_collation() where db_collation() <> 'case_sensitive';

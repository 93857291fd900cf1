create table `shop`.`marts`.`people_sent_snapshot`
    cluster by custom_id
    options() as (select
-- as on DuckDB (3 lines)
                cast(null as STRING) as `tags`,
-- as on DuckDB (5 lines)
                cast(null as STRING) as `_batch_opted_out` limit 0);
select collation_name from `shop`.`marts`.INFORMATION_SCHEMA.COLUMNS where table_name = 'people_sent_snapshot' and collation_name not in ('NULL', '');
alter table `shop`.`marts`.`people_sent_snapshot` set options (expiration_timestamp = null);

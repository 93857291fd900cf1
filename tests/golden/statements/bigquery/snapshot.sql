create table `shop`.`marts`.`people_sent_snapshot`
    cluster by custom_id
    options() as (select
-- as on DuckDB (3 lines)
                cast(null as STRING) as `tags`,
-- as on DuckDB (6 lines)
            limit 0);
alter table `shop`.`marts`.`people_sent_snapshot` set options (expiration_timestamp = null);

create table `shop`.`marts`.`people_sent_snapshot`
    using delta
    cluster by (custom_id)
    as
    select
-- as on DuckDB (3 lines)
                cast(null as array<string>) as `tags`,
-- as on DuckDB (6 lines)
-- without some lines of DuckDB

create table marts.people_sent_snapshot
    using delta
    as
    select
-- as on DuckDB (3 lines)
                cast(null as array<string>) as `tags`,
-- as on DuckDB (6 lines)
-- without some lines of DuckDB

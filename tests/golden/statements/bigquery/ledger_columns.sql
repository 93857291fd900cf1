-- without some lines of DuckDB
-- as on DuckDB (7 lines)
    ) options (expiration_timestamp = null);
create or replace view `shop`.`marts`.`batch_sync_runs` options (expiration_timestamp = null) as select
-- as on DuckDB (43 lines)

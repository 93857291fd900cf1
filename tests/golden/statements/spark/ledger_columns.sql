alter table marts.batch_sync_journal add columns `host` string, `seconds` double;
-- as on DuckDB (7 lines)
    ) using delta;
-- as on DuckDB (44 lines)

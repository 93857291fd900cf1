select pg_advisory_xact_lock(5512347193);
-- as on DuckDB (115 lines)

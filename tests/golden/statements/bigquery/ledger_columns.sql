-- without some lines of DuckDB
-- as on DuckDB (7 lines)
    ) options (expiration_timestamp = null);
-- as on DuckDB (44 lines)

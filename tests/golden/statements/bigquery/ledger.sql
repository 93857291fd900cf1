-- as on DuckDB (47 lines)
    ) options (expiration_timestamp = null);
-- as on DuckDB (11 lines)
    ) options (expiration_timestamp = null);
-- as on DuckDB (44 lines)

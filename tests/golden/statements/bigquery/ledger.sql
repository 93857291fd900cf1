-- as on DuckDB (50 lines)
    ) options (expiration_timestamp = null);
-- as on DuckDB (11 lines)
    ) options (expiration_timestamp = null);
-- as on DuckDB (7 lines)
    ) options (expiration_timestamp = null);
-- as on DuckDB (44 lines)

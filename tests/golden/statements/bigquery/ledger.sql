-- as on DuckDB (49 lines)
    ) options (expiration_timestamp = null);
-- as on DuckDB (11 lines)
    ) options (expiration_timestamp = null);
-- as on DuckDB (7 lines)
    ) options (expiration_timestamp = null);
-- as on DuckDB (43 lines)

-- as on DuckDB (46 lines)
    ) options (expiration_timestamp = null);
-- as on DuckDB (11 lines)
    ) options (expiration_timestamp = null);
-- as on DuckDB (43 lines)

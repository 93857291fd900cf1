-- as on DuckDB (46 lines)
    ) using delta;
-- as on DuckDB (11 lines)
    ) using delta;
-- as on DuckDB (43 lines)

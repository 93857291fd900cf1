-- as on DuckDB (49 lines)
    ) using delta;
-- as on DuckDB (11 lines)
    ) using delta;
-- as on DuckDB (7 lines)
    ) using delta;
-- as on DuckDB (43 lines)

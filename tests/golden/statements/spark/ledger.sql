-- as on DuckDB (50 lines)
    ) using delta;
-- as on DuckDB (11 lines)
    ) using delta;
-- as on DuckDB (7 lines)
    ) using delta;
-- as on DuckDB (44 lines)

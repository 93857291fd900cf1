-- as on DuckDB (47 lines)
    ) using delta;
-- as on DuckDB (11 lines)
    ) using delta;
-- as on DuckDB (44 lines)

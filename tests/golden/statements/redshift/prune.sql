-- as on DuckDB (11 lines)
commit;

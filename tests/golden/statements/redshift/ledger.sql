-- as on DuckDB (102 lines)
commit;

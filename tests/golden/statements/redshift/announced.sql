-- as on DuckDB (1 lines)
    select cast(getdate() as timestamp), cast('people' as varchar(4096)), cast('building' as varchar(4096)), cast('00000000-0000-4000-8000-000000000002' as varchar(4096)); commit;

-- as on DuckDB (1 lines)
    select (clock_timestamp() at time zone 'UTC'), cast('people' as text), cast('building' as text), cast('00000000-0000-4000-8000-000000000002' as text); commit;

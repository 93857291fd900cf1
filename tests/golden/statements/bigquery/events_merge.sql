-- as on DuckDB (49 lines)
    select datetime(current_timestamp(), 'UTC'), cast('''people''' as STRING), cast('''merged''' as STRING), cast('''00000000-0000-4000-8000-000000000002''' as STRING), cast('''00000000-0000-4000-8000-000000000001''' as STRING), cast('''''' as STRING), cast('''first''' as STRING);

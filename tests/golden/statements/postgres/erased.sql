-- as on DuckDB (50 lines)
        when not (c."custom_id" ~ '^(?:[^\u0001-\u001f\u007f-\u009f\u2028\u2029]*)$') then 'control_character_identifier'
-- as on DuckDB (102 lines)

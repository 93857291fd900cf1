-- as on DuckDB (31 lines)
        when not (c."custom_id" ~ '^([^[:cntrl:]]*)$') then 'control_character_identifier'
-- as on DuckDB (55 lines)

-- as on DuckDB (2 lines)
        select value, case when length(value) > 128 then 'too_long' when not (value ~ '^([^@[:space:]]+@[A-Za-z0-9.-]+[.][A-Za-z0-9]+)$') then 'invalid_email' end as reason
-- as on DuckDB (34 lines)
        select value, case when not (value ~ '^([+][0-9]{1,15})$') then 'invalid_phone' end as reason
-- as on DuckDB (25 lines)

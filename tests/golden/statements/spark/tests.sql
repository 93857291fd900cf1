-- as on DuckDB (2 lines)
        select value, case when length(value) > 128 then 'too_long' when not (value rlike r'\A(?:[^@\s\p{Z}\x00-\x1f\x7f-\x9f\x{feff}]+@[A-Za-z0-9.-]+[.][A-Za-z0-9]+)\z') then 'invalid_email' end as reason
-- as on DuckDB (34 lines)
        select value, case when not (value rlike r'\A(?:[+][0-9]{1,15})\z') then 'invalid_phone' end as reason
-- as on DuckDB (25 lines)

-- as on DuckDB (2 lines)
        select value, case when length(value) > 128 then 'too_long' when not (value ~ '^(?:[^@\u0001-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+@[A-Za-z0-9.-]+[.][A-Za-z0-9]+)$') then 'invalid_email' end as reason
-- as on DuckDB (34 lines)
        select value, case when not (value ~ '^(?:[+][0-9]{1,15})$') then 'invalid_phone' end as reason
-- as on DuckDB (25 lines)

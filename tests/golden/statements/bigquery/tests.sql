-- as on DuckDB (2 lines)
        select value, case when length(value) > 128 then 'too_long' when not regexp_contains(value, r'^(?:[^@\s\pZ\x00-\x1f\x7f-\x9f\x{feff}]+@[A-Za-z0-9.-]+[.][A-Za-z0-9]+)$') then 'invalid_email' end as reason
        from (select collate(cast(nick as STRING), '') as value from `shop`.`marts`.`people`) as texts
-- as on DuckDB (11 lines)
        when trim(translate(identifiers.`custom_id`, chr(9) || chr(10) || chr(11) || chr(12) || chr(13), '     '), ' ') = '' then 'empty_identifier'
-- as on DuckDB (1 lines)
        when (strpos(identifiers.`custom_id`, chr(10)) > 0 or strpos(identifiers.`custom_id`, chr(13)) > 0) then 'line_break_identifier'
        when lower(trim(identifiers.`custom_id`, ' ')) in (
-- as on DuckDB (4 lines)
        from (select collate(cast(nick as STRING), '') as `custom_id` from `shop`.`marts`.`people`) as identifiers
-- as on DuckDB (5 lines)
        from (select collate(cast(nick as STRING), '') as value from `shop`.`marts`.`people`) as texts
-- as on DuckDB (5 lines)
        select value, case when not regexp_contains(value, r'^(?:[+][0-9]{1,15})$') then 'invalid_phone' end as reason
        from (select collate(cast(nick as STRING), '') as value from `shop`.`marts`.`people`) as texts
-- as on DuckDB (6 lines)
        from (select collate(cast(nick as STRING), '') as value from `shop`.`marts`.`people`) as texts
-- as on DuckDB (6 lines)
        from (select collate(cast(nick as STRING), '') as value from `shop`.`marts`.`people`) as texts
-- as on DuckDB (6 lines)
        from (select collate(cast(nick as STRING), '') as value from `shop`.`marts`.`people`) as texts
-- as on DuckDB (3 lines)

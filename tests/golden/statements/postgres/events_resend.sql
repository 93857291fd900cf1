-- as on DuckDB (19 lines)
        cast("amount" as numeric(18,4)) as "amount",
-- as on DuckDB (52 lines)
        when not (unsent."custom_id" ~ '^(?:[^\u0001-\u001f\u007f-\u009f\u2028\u2029]*)$') then 'control_character_identifier'
-- as on DuckDB (20 lines)
        cast(null as numeric(18,4)) as "amount",
-- as on DuckDB (14 lines)
        cast(null as numeric(18,4)) as "amount",
-- as on DuckDB (9 lines)
    (row_number() over (order by case when problem is null then 0 else 1 end, "custom_id", "batch__time", "event_id") - 1) / 100 as "_batch_page",
-- as on DuckDB (8 lines)

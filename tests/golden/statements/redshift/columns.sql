-- as on DuckDB (4 lines)
        json_serialize("tags") as "tags",
-- as on DuckDB (1 lines)
        cast("decimal" as numeric(18,4)) as "decimal",
-- as on DuckDB (4 lines)
-- without some lines of DuckDB
-- as on DuckDB (1 lines)
        cast(case when "boolean" then 'true' when not "boolean" then 'false' end as varchar(65535)) as "boolean_text",
-- as on DuckDB (4 lines)

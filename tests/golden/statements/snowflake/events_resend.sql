-- as on DuckDB (17 lines)
        cast(convert_timezone('UTC', "at") as TIMESTAMP_NTZ(6)) as "BATCH__TIME",
-- as on DuckDB (1 lines)
        cast("amount" as NUMBER(18,4)) as "AMOUNT",
-- as on DuckDB (3 lines)
        "at" >= cast('2024-05-05 07:13:09+00:00' as TIMESTAMP_TZ(9))
        and "at" <= cast('2024-05-06 07:08:09+00:00' as TIMESTAMP_TZ(9))
-- as on DuckDB (6 lines)
        cast(convert_timezone('UTC', "at") as TIMESTAMP_NTZ(6)) as "BATCH__TIME"
-- as on DuckDB (2 lines)
        "at" >= cast('2024-05-05 07:08:09+00:00' as TIMESTAMP_TZ(9))
        and "at" < cast('2024-05-05 07:13:09+00:00' as TIMESTAMP_TZ(9))
-- as on DuckDB (36 lines)
        when not (regexp_substr(unsent."CUSTOM_ID", $$[^--
]*$$) is not distinct from unsent."CUSTOM_ID") then 'control_character_identifier'
-- as on DuckDB (20 lines)
        cast(null as NUMBER(18,4)) as "AMOUNT",
-- as on DuckDB (14 lines)
        cast(null as NUMBER(18,4)) as "AMOUNT",
-- as on DuckDB (9 lines)
    mod(abs(hash("CUSTOM_ID")), 16384) as "_BATCH_PAGE",
-- as on DuckDB (7 lines)
from changes
order by "_BATCH_PAGE";

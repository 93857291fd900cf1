-- as on DuckDB (3 lines)
        cast(cast(convert_timezone('UTC', "asked") as TIMESTAMP_NTZ(6)) as TIMESTAMP_NTZ(6)) as "REQUESTED_AT",
-- as on DuckDB (27 lines)
        when not (regexp_substr(c."CUSTOM_ID", $$[^--
]*$$) is not distinct from c."CUSTOM_ID") then 'control_character_identifier'
-- as on DuckDB (41 lines)
        cast(cast(convert_timezone('UTC', "asked") as TIMESTAMP_NTZ(6)) as TIMESTAMP_NTZ(6)) as "REQUESTED_AT",
-- as on DuckDB (12 lines)
from changes
order by "_BATCH_PAGE";

-- as on DuckDB (5 lines)
        to_json("tags") as "TAGS",
-- as on DuckDB (27 lines)
        when not (regexp_substr(c."CUSTOM_ID", $$[^--
]*$$) is not distinct from c."CUSTOM_ID") then 'control_character_identifier'
-- as on DuckDB (72 lines)
        to_json("tags") as "TAGS",
-- as on DuckDB (14 lines)
from changes
order by "_BATCH_PAGE";

-- as on DuckDB (4 lines)
        to_json("tags") as "TAGS",
-- as on DuckDB (28 lines)
        when not (regexp_substr(c."ITEM_ID", $$[^--
]*$$) is not distinct from c."ITEM_ID") then 'control_character_identifier'
-- as on DuckDB (62 lines)
        to_json("tags") as "TAGS",
-- as on DuckDB (10 lines)
    mod(abs(hash("ITEM_ID")), 16384) as "_BATCH_PAGE",
-- as on DuckDB (4 lines)
from changes
order by "_BATCH_PAGE";

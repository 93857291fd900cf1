-- as on DuckDB (4 lines)
        to_json("tags") as "TAGS",
-- as on DuckDB (90 lines)
        to_json("tags") as "TAGS",
-- as on DuckDB (10 lines)
    mod(abs(hash("ITEM_ID")), 16384) as "_BATCH_PAGE",
-- as on DuckDB (4 lines)
from changes
order by "_BATCH_PAGE";

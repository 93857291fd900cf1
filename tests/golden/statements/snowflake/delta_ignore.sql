-- as on DuckDB (6 lines)
        to_json("tags") as "TAGS",
-- as on DuckDB (102 lines)
        to_json("tags") as "TAGS",
-- as on DuckDB (14 lines)
from changes
order by "_BATCH_PAGE";

-- as on DuckDB (5 lines)
        to_json("tags") as "TAGS",
-- as on DuckDB (101 lines)
        to_json("tags") as "TAGS",
-- as on DuckDB (14 lines)
from changes
order by "_BATCH_PAGE";

-- as on DuckDB (5 lines)
        to_json("tags") as "TAGS",
-- as on DuckDB (108 lines)
        to_json("tags") as "TAGS",
-- as on DuckDB (16 lines)
from changes
order by "_BATCH_PAGE";

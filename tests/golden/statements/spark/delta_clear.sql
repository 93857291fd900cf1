-- as on DuckDB (5 lines)
        cast(`tags` as array<string>) as `tags`,
-- as on DuckDB (101 lines)
        cast(`tags` as array<string>) as `tags`,
-- as on DuckDB (14 lines)
from changes
order by `_batch_page`;

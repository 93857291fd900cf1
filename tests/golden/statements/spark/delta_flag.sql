-- as on DuckDB (5 lines)
        cast(`tags` as array<string>) as `tags`,
-- as on DuckDB (108 lines)
        cast(`tags` as array<string>) as `tags`,
-- as on DuckDB (16 lines)
from changes
order by `_batch_page`;

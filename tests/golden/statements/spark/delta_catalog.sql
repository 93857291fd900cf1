-- as on DuckDB (4 lines)
        cast(`tags` as array<string>) as `tags`,
-- as on DuckDB (90 lines)
        cast(`tags` as array<string>) as `tags`,
-- as on DuckDB (10 lines)
    cast(abs(hash(coalesce(`item_id`, '')) % 16384) as bigint) as `_batch_page`,
-- as on DuckDB (4 lines)
from changes
order by `_batch_page`;

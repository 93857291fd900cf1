-- as on DuckDB (4 lines)
        cast(`tags` as array<string>) as `tags`,
-- as on DuckDB (28 lines)
        when not (c.`item_id` rlike r'\A(?:[^\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]*)\z') then 'control_character_identifier'
-- as on DuckDB (62 lines)
        cast(`tags` as array<string>) as `tags`,
-- as on DuckDB (10 lines)
    cast(abs(hash(coalesce(`item_id`, '')) % 16384) as bigint) as `_batch_page`,
-- as on DuckDB (4 lines)
from changes
order by `_batch_page`;

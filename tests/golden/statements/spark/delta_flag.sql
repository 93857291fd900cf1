-- as on DuckDB (5 lines)
        cast(`tags` as array<string>) as `tags`,
-- as on DuckDB (28 lines)
        when not (c.`custom_id` rlike r'\A(?:[^\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]*)\z') then 'control_character_identifier'
-- as on DuckDB (78 lines)
        cast(`tags` as array<string>) as `tags`,
-- as on DuckDB (16 lines)
from changes
order by `_batch_page`;

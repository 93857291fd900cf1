-- as on DuckDB (17 lines)
        timestamp_ntz'1970-01-01 00:00:00' + unix_micros(`at`) * interval '0.000001' second as `batch__time`,
-- as on DuckDB (5 lines)
        `at` >= cast('2024-05-05 07:13:09+00:00' as timestamp)
        and `at` <= cast('2024-05-06 07:08:09+00:00' as timestamp)
-- as on DuckDB (6 lines)
        timestamp_ntz'1970-01-01 00:00:00' + unix_micros(`at`) * interval '0.000001' second as `batch__time`
-- as on DuckDB (2 lines)
        `at` >= cast('2024-05-05 07:08:09+00:00' as timestamp)
        and `at` < cast('2024-05-05 07:13:09+00:00' as timestamp)
-- as on DuckDB (36 lines)
        when not (unsent.`custom_id` rlike r'\A(?:[^\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]*)\z') then 'control_character_identifier'
-- as on DuckDB (45 lines)
    cast(abs(hash(coalesce(`custom_id`, '')) % 16384) as bigint) as `_batch_page`,
-- as on DuckDB (7 lines)
from changes
order by `_batch_page`;

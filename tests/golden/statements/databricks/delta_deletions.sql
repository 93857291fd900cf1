-- as on DuckDB (3 lines)
        cast(timestamp_ntz'1970-01-01 00:00:00' + unix_micros(`asked`) * interval '0.000001' second as timestamp_ntz) as `requested_at`,
-- as on DuckDB (27 lines)
        when not (c.`custom_id` rlike r'\A(?:[^\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]*)\z') then 'control_character_identifier'
-- as on DuckDB (41 lines)
        cast(timestamp_ntz'1970-01-01 00:00:00' + unix_micros(`asked`) * interval '0.000001' second as timestamp_ntz) as `requested_at`,
-- as on DuckDB (12 lines)
from changes
order by `_batch_page`;

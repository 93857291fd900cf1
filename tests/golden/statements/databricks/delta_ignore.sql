-- as on DuckDB (7 lines)
        cast(`tags` as array<string>) as `tags`,
-- as on DuckDB (27 lines)
        when not (c.`custom_id` rlike r'\A(?:[^\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]*)\z') then 'control_character_identifier'
-- as on DuckDB (30 lines)
            when compared._batch_problem is not null or parked.sent_hash = md5(cast(coalesce(cast(length(cast(compared.`batch__email_marketing` as string)) as string) || ':' || cast(compared.`batch__email_marketing` as string), '-') || coalesce(cast(length(cast(compared.`nick` as string)) as string) || ':' || cast(compared.`nick` as string), '-') || coalesce(cast(length(to_json(compared.`tags`)) as string) || ':' || to_json(compared.`tags`), '-') as string)) then 'invalid'
-- as on DuckDB (9 lines)
        when parked.sent_hash = md5(cast(coalesce(cast(length(cast(compared.`batch__email_marketing` as string)) as string) || ':' || cast(compared.`batch__email_marketing` as string), '-') || coalesce(cast(length(cast(compared.`nick` as string)) as string) || ':' || cast(compared.`nick` as string), '-') || coalesce(cast(length(to_json(compared.`tags`)) as string) || ':' || to_json(compared.`tags`), '-') as string)) then 'parked'
-- as on DuckDB (32 lines)
        cast(`tags` as array<string>) as `tags`,
-- as on DuckDB (14 lines)
from changes
order by `_batch_page`;

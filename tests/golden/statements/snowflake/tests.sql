-- as on DuckDB (2 lines)
        select value, case when length(value) > 128 then 'too_long' when not (regexp_substr(value, $$[^@- -   -
  　﻿]+@[A-Za-z0-9.-]+[.][A-Za-z0-9]+$$) is not distinct from value) then 'invalid_email' end as reason
        from (select collate(cast(nick as VARCHAR), '') as value from shop.marts.people) as texts
-- as on DuckDB (21 lines)
        from (select collate(cast(nick as VARCHAR), '') as "CUSTOM_ID" from shop.marts.people) as identifiers
-- as on DuckDB (5 lines)
        from (select collate(cast(nick as VARCHAR), '') as value from shop.marts.people) as texts
-- as on DuckDB (5 lines)
        select value, case when not (regexp_substr(value, $$[+][0-9]{1,15}$$) is not distinct from value) then 'invalid_phone' end as reason
        from (select collate(cast(nick as VARCHAR), '') as value from shop.marts.people) as texts
-- as on DuckDB (6 lines)
        from (select collate(cast(nick as VARCHAR), '') as value from shop.marts.people) as texts
-- as on DuckDB (6 lines)
        from (select collate(cast(nick as VARCHAR), '') as value from shop.marts.people) as texts
-- as on DuckDB (6 lines)
        from (select collate(cast(nick as VARCHAR), '') as value from shop.marts.people) as texts
-- as on DuckDB (3 lines)

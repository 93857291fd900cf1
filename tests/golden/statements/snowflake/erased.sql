-- as on DuckDB (11 lines)
select s."CUSTOM_ID" as row_id from shop.marts.people_sent_snapshot as s inner join (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from shop.marts.BATCH_SYNC_JOURNAL where event = 'asked' and project_hash = '0123456789abcdef') as requests group by row_id) as a on a.row_id = s."CUSTOM_ID" where coalesce(case when s."_BATCH_DELTA_ID" = '00000000-0000-4000-8000-000000000001' then (select max(recorded_at) from shop.marts.BATCH_SYNC_JOURNAL where sync = 'people' and event = 'built' and delta_id = '00000000-0000-4000-8000-000000000001') else s."_BATCH_SENT_AT" end, cast(convert_timezone('UTC', current_timestamp()) as TIMESTAMP_NTZ(6))) < dateadd(second, 2678400, a.asked_at) limit 1;
-- as on DuckDB (2 lines)
delete from shop.marts.people_sent_snapshot where "CUSTOM_ID" in (select row_id from (select s."CUSTOM_ID" as row_id from shop.marts.people_sent_snapshot as s inner join (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from shop.marts.BATCH_SYNC_JOURNAL where event = 'asked' and project_hash = '0123456789abcdef') as requests group by row_id) as a on a.row_id = s."CUSTOM_ID" where coalesce(case when s."_BATCH_DELTA_ID" = '00000000-0000-4000-8000-000000000001' then (select max(recorded_at) from shop.marts.BATCH_SYNC_JOURNAL where sync = 'people' and event = 'built' and delta_id = '00000000-0000-4000-8000-000000000001') else s."_BATCH_SENT_AT" end, cast(convert_timezone('UTC', current_timestamp()) as TIMESTAMP_NTZ(6))) < dateadd(second, 2678400, a.asked_at)) as gone);
select r.key as row_id from shop.marts.BATCH_SYNC_REJECTS as r inner join (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from shop.marts.BATCH_SYNC_JOURNAL where event = 'asked' and project_hash = '0123456789abcdef') as requests group by row_id) as a on a.row_id = r.key where r.sync = 'people' and r.rejected_at < dateadd(second, 2678400, a.asked_at) limit 1;
delete from shop.marts.BATCH_SYNC_REJECTS where sync = 'people' and key in (select row_id from (select r.key as row_id from shop.marts.BATCH_SYNC_REJECTS as r inner join (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from shop.marts.BATCH_SYNC_JOURNAL where event = 'asked' and project_hash = '0123456789abcdef') as requests group by row_id) as a on a.row_id = r.key where r.sync = 'people' and r.rejected_at < dateadd(second, 2678400, a.asked_at)) as gone);
-- as on DuckDB (5 lines)
        to_json("tags") as "TAGS",
-- as on DuckDB (27 lines)
        when not (regexp_substr(c."CUSTOM_ID", $$[^--
]*$$) is not distinct from c."CUSTOM_ID") then 'control_character_identifier'
-- as on DuckDB (24 lines)
    select row_id from (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from shop.marts.BATCH_SYNC_JOURNAL where event = 'asked' and project_hash = '0123456789abcdef') as requests group by row_id) as asked where asked_at > dateadd(second, -2678400, cast(convert_timezone('UTC', current_timestamp()) as TIMESTAMP_NTZ(6)))
-- as on DuckDB (48 lines)
        to_json("tags") as "TAGS",
-- as on DuckDB (13 lines)
        cast(null as VARCHAR) as "TAGS"
-- as on DuckDB (13 lines)
from changes
order by "_BATCH_PAGE";

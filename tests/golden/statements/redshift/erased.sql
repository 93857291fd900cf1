-- as on DuckDB (11 lines)
select s."custom_id" as row_id from "shop"."marts"."people_sent_snapshot" as s inner join (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from "shop"."marts"."batch_sync_journal" where event = 'asked' and project_hash = '0123456789abcdef') as requests group by row_id) as a on a.row_id = s."custom_id" where coalesce(case when s."_batch_delta_id" = '00000000-0000-4000-8000-000000000001' then (select max(recorded_at) from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'built' and delta_id = '00000000-0000-4000-8000-000000000001') else s."_batch_sent_at" end, cast(getdate() as timestamp)) < dateadd(second, 2678400, a.asked_at) limit 1;
-- as on DuckDB (2 lines)
delete from "shop"."marts"."people_sent_snapshot" where "custom_id" in (select row_id from (select s."custom_id" as row_id from "shop"."marts"."people_sent_snapshot" as s inner join (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from "shop"."marts"."batch_sync_journal" where event = 'asked' and project_hash = '0123456789abcdef') as requests group by row_id) as a on a.row_id = s."custom_id" where coalesce(case when s."_batch_delta_id" = '00000000-0000-4000-8000-000000000001' then (select max(recorded_at) from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'built' and delta_id = '00000000-0000-4000-8000-000000000001') else s."_batch_sent_at" end, cast(getdate() as timestamp)) < dateadd(second, 2678400, a.asked_at)) as gone);
select r.key as row_id from "shop"."marts"."batch_sync_rejects" as r inner join (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from "shop"."marts"."batch_sync_journal" where event = 'asked' and project_hash = '0123456789abcdef') as requests group by row_id) as a on a.row_id = r.key where r.sync = 'people' and r.rejected_at < dateadd(second, 2678400, a.asked_at) limit 1;
delete from "shop"."marts"."batch_sync_rejects" where sync = 'people' and key in (select row_id from (select r.key as row_id from "shop"."marts"."batch_sync_rejects" as r inner join (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from "shop"."marts"."batch_sync_journal" where event = 'asked' and project_hash = '0123456789abcdef') as requests group by row_id) as a on a.row_id = r.key where r.sync = 'people' and r.rejected_at < dateadd(second, 2678400, a.asked_at)) as gone);
-- as on DuckDB (4 lines)
        case when length(collate(cast("nick" as varchar(256)), 'case_sensitive')) > 0 then collate(cast("nick" as varchar(256)), 'case_sensitive') end as "nick",
        json_serialize("tags") as "tags",
-- as on DuckDB (27 lines)
        when not (c."custom_id" ~ '^([^[:cntrl:]]*)$') then 'control_character_identifier'
-- as on DuckDB (3 lines)
        (case when c."batch__email_marketing" = s."batch__email_marketing" or (c."batch__email_marketing" is null and s."batch__email_marketing" is null) then 0 else 1 end = 1 or case when s."_batch_doubt" is not null then
-- as on DuckDB (4 lines)
        (case when c."nick" = s."nick" and length(c."nick") = length(s."nick") or (c."nick" is null and s."nick" is null) then 0 else 1 end = 1 or case when s."_batch_doubt" is not null then
-- as on DuckDB (3 lines)
        (case when c."tags" = s."tags" and length(c."tags") = length(s."tags") or (c."tags" is null and s."tags" is null) then 0 else 1 end = 1 or case when s."_batch_doubt" is not null then
-- as on DuckDB (2 lines)
        (c._batch_here = 1 and case when c."batch__email_marketing" = s."batch__email_marketing" or (c."batch__email_marketing" is null and s."batch__email_marketing" is null) then 0 else 1 end = 1 and (c."batch__email_marketing" is not null and c."batch__email_marketing" = true and case when s."_batch_opted_out" is not null then
-- as on DuckDB (8 lines)
    select row_id from (select row_id, max(recorded_at) as asked_at from (select key as row_id, recorded_at from "shop"."marts"."batch_sync_journal" where event = 'asked' and project_hash = '0123456789abcdef') as requests group by row_id) as asked where asked_at > dateadd(second, -2678400, cast(getdate() as timestamp))
-- as on DuckDB (47 lines)
        case when length(collate(cast("nick" as varchar(256)), 'case_sensitive')) > 0 then collate(cast("nick" as varchar(256)), 'case_sensitive') end as "nick",
        json_serialize("tags") as "tags",
-- as on DuckDB (13 lines)
        cast(null as varchar(65535)) as "tags"
-- as on DuckDB (14 lines)

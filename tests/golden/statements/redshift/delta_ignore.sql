-- as on DuckDB (6 lines)
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
-- as on DuckDB (14 lines)
            when compared._batch_problem is not null or parked.sent_hash = md5(coalesce(cast(length(cast(case when compared."batch__email_marketing" then 'true' when not compared."batch__email_marketing" then 'false' end as varchar(65535))) as varchar(4096)) || ':' || cast(case when compared."batch__email_marketing" then 'true' when not compared."batch__email_marketing" then 'false' end as varchar(65535)), '-') || coalesce(cast(length(cast(compared."nick" as varchar(65535))) as varchar(4096)) || ':' || cast(compared."nick" as varchar(65535)), '-') || coalesce(cast(length(cast(compared."tags" as varchar(65535))) as varchar(4096)) || ':' || cast(compared."tags" as varchar(65535)), '-')) then 'invalid'
-- as on DuckDB (9 lines)
        when parked.sent_hash = md5(coalesce(cast(length(cast(case when compared."batch__email_marketing" then 'true' when not compared."batch__email_marketing" then 'false' end as varchar(65535))) as varchar(4096)) || ':' || cast(case when compared."batch__email_marketing" then 'true' when not compared."batch__email_marketing" then 'false' end as varchar(65535)), '-') || coalesce(cast(length(cast(compared."nick" as varchar(65535))) as varchar(4096)) || ':' || cast(compared."nick" as varchar(65535)), '-') || coalesce(cast(length(cast(compared."tags" as varchar(65535))) as varchar(4096)) || ':' || cast(compared."tags" as varchar(65535)), '-')) then 'parked'
-- as on DuckDB (31 lines)
        case when length(collate(cast("nick" as varchar(256)), 'case_sensitive')) > 0 then collate(cast("nick" as varchar(256)), 'case_sensitive') end as "nick",
        json_serialize("tags") as "tags",
-- as on DuckDB (15 lines)

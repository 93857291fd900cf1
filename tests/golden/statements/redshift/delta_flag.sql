-- as on DuckDB (4 lines)
        case when length(collate(cast("nick" as varchar(256)), 'case_sensitive')) > 0 then collate(cast("nick" as varchar(256)), 'case_sensitive') end as "nick",
        json_serialize("tags") as "tags",
-- as on DuckDB (28 lines)
        when not (c."custom_id" ~ '^([^[:cntrl:]]*)$') then 'control_character_identifier'
-- as on DuckDB (3 lines)
        (case when c."batch__email_marketing" = s."batch__email_marketing" or (c."batch__email_marketing" is null and s."batch__email_marketing" is null) then 0 else 1 end = 1 or case when s."_batch_doubt" is not null then
-- as on DuckDB (4 lines)
        (case when c."nick" = s."nick" and length(c."nick") = length(s."nick") or (c."nick" is null and s."nick" is null) then 0 else 1 end = 1 or case when s."_batch_doubt" is not null then
-- as on DuckDB (3 lines)
        (case when c."tags" = s."tags" and length(c."tags") = length(s."tags") or (c."tags" is null and s."tags" is null) then 0 else 1 end = 1 or case when s."_batch_doubt" is not null then
-- as on DuckDB (3 lines)
        (case when c."in_crm" = s."in_crm" or (c."in_crm" is null and s."in_crm" is null) then 0 else 1 end = 1 or case when s."_batch_doubt" is not null then
-- as on DuckDB (1 lines)
    when s."_batch_exited_at" is null or s."_batch_doubt" is not null then (case when s."in_crm" = false or (s."in_crm" is null and false is null) then 0 else 1 end = 1 or case when s."_batch_doubt" is not null then
-- as on DuckDB (1 lines)
        (c._batch_here = 1 and case when c."batch__email_marketing" = s."batch__email_marketing" or (c."batch__email_marketing" is null and s."batch__email_marketing" is null) then 0 else 1 end = 1 and (c."batch__email_marketing" is not null and c."batch__email_marketing" = true and case when s."_batch_opted_out" is not null then
-- as on DuckDB (56 lines)
        case when length(collate(cast("nick" as varchar(256)), 'case_sensitive')) > 0 then collate(cast("nick" as varchar(256)), 'case_sensitive') end as "nick",
        json_serialize("tags") as "tags",
-- as on DuckDB (17 lines)

-- as on DuckDB (4 lines)
        json_serialize("tags") as "tags",
-- as on DuckDB (28 lines)
        when not (c."item_id" ~ '^([^[:cntrl:]]*)$') then 'control_character_identifier'
-- as on DuckDB (2 lines)
        (case when c."nick" = s."nick" and length(c."nick") = length(s."nick") or (c."nick" is null and s."nick" is null) then 0 else 1 end = 1 or case when s."_batch_doubt" is not null then
-- as on DuckDB (3 lines)
        (case when c."tags" = s."tags" and length(c."tags") = length(s."tags") or (c."tags" is null and s."tags" is null) then 0 else 1 end = 1 or case when s."_batch_doubt" is not null then
-- as on DuckDB (3 lines)
        (case when c."batch__present" = s."batch__present" or (c."batch__present" is null and s."batch__present" is null) then 0 else 1 end = 1 or case when s."_batch_doubt" is not null then
-- as on DuckDB (1 lines)
    when s."_batch_exited_at" is null or s."_batch_doubt" is not null then (case when s."batch__present" = false or (s."batch__present" is null and false is null) then 0 else 1 end = 1 or case when s."_batch_doubt" is not null then
-- as on DuckDB (49 lines)
        json_serialize("tags") as "tags",
-- as on DuckDB (10 lines)
    mod(abs(cast(checksum(coalesce("item_id", '')) as bigint)), 16384) as "_batch_page",
-- as on DuckDB (5 lines)

with model_rows as (
    select
        cast("Client Id" as VARCHAR) collate posix as "custom_id",
        cast("optin" as BOOLEAN) as "batch__email_marketing",
        nullif(cast("nick" as VARCHAR) collate posix, '') as "nick",
        cast("tags" as VARCHAR[]) as "tags",
        1 as _batch_here
    from (select * from "shop"."marts"."people") as model
),
duplicated as (
    select cast("Client Id" as VARCHAR) collate posix as "custom_id"
    from (select * from "shop"."marts"."people") as model
    where "Client Id" is not null
    group by 1
    having count(*) > 1
),
known_rows as (
    select sent.*, 1 as _batch_known
    from "shop"."marts"."people_sent_snapshot" as sent
),
compared as (
    select
        coalesce(c."custom_id", s."custom_id") as "custom_id",
        c._batch_here,
        s._batch_known,
        s."_batch_exited_at",
        case when c._batch_here = 1 then case
        when c."custom_id" is null then 'null_identifier'
        when trim(translate(c."custom_id", chr(9) || chr(10) || chr(11) || chr(12) || chr(13), '     ')) = '' then 'empty_identifier'
        when length(c."custom_id") > 511 then 'long_identifier'
        when (
    position(chr(10) in c."custom_id") > 0 or
    position(chr(13) in c."custom_id") > 0) then 'line_break_identifier'
        when not regexp_full_match(c."custom_id", '[^\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]*') then 'control_character_identifier'
        when lower(trim(c."custom_id")) in ('undefined', 'null', 'nil', '(null)', '[object object]', 'true', 'false', 'nan', 'infinity', '-infinity') then 'reserved_identifier'
    end end as _batch_problem,
        case when c._batch_here = 1 then
        (c."batch__email_marketing" is distinct from s."batch__email_marketing" or case when s."_batch_doubt" is not null then
    position(',batch__email_marketing,' in coalesce(s."_batch_doubt", '')) > 0 else false end) and c."batch__email_marketing" is not null and not (c."batch__email_marketing" is not null and c."batch__email_marketing" = true and case when s."_batch_opted_out" is not null then
    position(',batch__email_marketing,' in coalesce(s."_batch_opted_out", '')) > 0 else false end)
    when s."_batch_exited_at" is null or s."_batch_doubt" is not null then (s."batch__email_marketing" is not null or case when s."_batch_doubt" is not null then
    position(',batch__email_marketing,' in coalesce(s."_batch_doubt", '')) > 0 else false end) and not case when s."_batch_opted_out" is not null then
    position(',batch__email_marketing,' in coalesce(s."_batch_opted_out", '')) > 0 else false end else false end as _batch_send_1,
        case when c._batch_here = 1 then
        (c."nick" is distinct from s."nick" or case when s."_batch_doubt" is not null then
    position(',nick,' in coalesce(s."_batch_doubt", '')) > 0 else false end) and c."nick" is not null
    when s."_batch_exited_at" is null or s."_batch_doubt" is not null then (s."nick" is not null or case when s."_batch_doubt" is not null then
    position(',nick,' in coalesce(s."_batch_doubt", '')) > 0 else false end) else false end as _batch_send_2,
        case when c._batch_here = 1 then
        (c."tags" is distinct from s."tags" or case when s."_batch_doubt" is not null then
    position(',tags,' in coalesce(s."_batch_doubt", '')) > 0 else false end)
    when s."_batch_exited_at" is null or s."_batch_doubt" is not null then (s."tags" is not null or case when s."_batch_doubt" is not null then
    position(',tags,' in coalesce(s."_batch_doubt", '')) > 0 else false end) else false end as _batch_send_3,
        (c._batch_here = 1 and c."batch__email_marketing" is distinct from s."batch__email_marketing" and (c."batch__email_marketing" is not null and c."batch__email_marketing" = true and case when s."_batch_opted_out" is not null then
    position(',batch__email_marketing,' in coalesce(s."_batch_opted_out", '')) > 0 else false end)) as _batch_blocked_1,
        case when c._batch_here = 1 then coalesce(c."batch__email_marketing", s."batch__email_marketing") end as "batch__email_marketing",
        case when c._batch_here = 1 then coalesce(c."nick", s."nick") end as "nick",
        case when c._batch_here = 1 then c."tags" end as "tags"
    from model_rows as c
    full join known_rows as s on s."custom_id" = c."custom_id"
),
changes as (
    select
        compared."custom_id",
        case
            when compared._batch_problem is not null then 'invalid'
            when compared._batch_here is null then 'exit'
            when compared._batch_known is null then 'insert'
            else 'update'
        end as "_batch_change",
        substr(case when compared._batch_send_1 then ',batch__email_marketing' else '' end
            || case when compared._batch_send_2 then ',nick' else '' end
            || case when compared._batch_send_3 then ',tags' else '' end, 2) as "_batch_changed",
        case
        when compared._batch_problem is not null then compared._batch_problem
        when compared._batch_blocked_1 then 'never_resubscribe:' || substr(case when compared._batch_blocked_1 then ',batch__email_marketing' else '' end, 2)
    end as "_batch_reason",
        compared."batch__email_marketing",
        compared."nick",
        compared."tags"
    from compared
    left join duplicated on duplicated."custom_id" = compared."custom_id"
    where
        duplicated."custom_id" is null
        and (
            compared._batch_known is null
            or (compared._batch_here is null and compared."_batch_exited_at" is null)
            or (compared._batch_here = 1 and compared."_batch_exited_at" is not null)
            or compared._batch_send_1
            or compared._batch_send_2
            or compared._batch_send_3
            or compared._batch_blocked_1
        )
    union all
    select
        c."custom_id",
        'invalid' as "_batch_change",
        '' as "_batch_changed",
        'duplicate_identifier' as "_batch_reason",
        c."batch__email_marketing",
        c."nick",
        c."tags"
    from (select
        cast("Client Id" as VARCHAR) collate posix as "custom_id",
        cast("optin" as BOOLEAN) as "batch__email_marketing",
        nullif(cast("nick" as VARCHAR) collate posix, '') as "nick",
        cast("tags" as VARCHAR[]) as "tags",
        1 as _batch_here
    from (select * from "shop"."marts"."people") as model) as c
    inner join duplicated on duplicated."custom_id" = c."custom_id"
)
select
    "custom_id",
    cast("_batch_change" as VARCHAR) as "_batch_change",
    cast(case when "_batch_change" = 'invalid' then '' else "_batch_changed" end as VARCHAR) as "_batch_changed",
    cast("_batch_reason" as VARCHAR) as "_batch_reason",
    (row_number() over () - 1) // 1000 as "_batch_page",
    cast('00000000-0000-4000-8000-000000000002' as VARCHAR) as "_batch_delta_id",
    "batch__email_marketing",
    "nick",
    "tags"
from changes;

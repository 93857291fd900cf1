with model_rows as (
    select
        cast("Client Id" as VARCHAR) collate posix as "item_id",
        cast("nick" as VARCHAR) collate posix as "nick",
        cast("tags" as VARCHAR[]) as "tags",
        true as "batch__present",
        1 as _batch_here
    from (select * from "shop"."marts"."people") as model
),
duplicated as (
    select cast("Client Id" as VARCHAR) collate posix as "item_id"
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
        coalesce(c."item_id", s."item_id") as "item_id",
        c._batch_here,
        s._batch_known,
        s."_batch_exited_at",
        case when c._batch_here = 1 then case
        when c."item_id" is null then 'null_identifier'
        when trim(translate(c."item_id", chr(9) || chr(10) || chr(11) || chr(12) || chr(13), '     ')) = '' then 'empty_identifier'
        when length(c."item_id") > 511 then 'long_identifier'
        when (
    position(chr(10) in c."item_id") > 0 or
    position(chr(13) in c."item_id") > 0) then 'line_break_identifier'
        when not regexp_full_match(c."item_id", '[^\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]*') then 'control_character_identifier'
    end end as _batch_problem,
        case when c._batch_here = 1 then
        (c."nick" is distinct from s."nick" or case when s."_batch_doubt" is not null then
    position(',nick,' in coalesce(s."_batch_doubt", '')) > 0 else false end)
    when s."_batch_exited_at" is null or s."_batch_doubt" is not null then false else false end as _batch_send_1,
        case when c._batch_here = 1 then
        (c."tags" is distinct from s."tags" or case when s."_batch_doubt" is not null then
    position(',tags,' in coalesce(s."_batch_doubt", '')) > 0 else false end)
    when s."_batch_exited_at" is null or s."_batch_doubt" is not null then false else false end as _batch_send_2,
        case when c._batch_here = 1 then
        (c."batch__present" is distinct from s."batch__present" or case when s."_batch_doubt" is not null then
    position(',batch__present,' in coalesce(s."_batch_doubt", '')) > 0 else false end)
    when s."_batch_exited_at" is null or s."_batch_doubt" is not null then (s."batch__present" is distinct from false or case when s."_batch_doubt" is not null then
    position(',batch__present,' in coalesce(s."_batch_doubt", '')) > 0 else false end) else false end as _batch_send_3,
        case when c._batch_here = 1 then c."nick" else s."nick" end as "nick",
        case when c._batch_here = 1 then c."tags" else s."tags" end as "tags",
        case when c._batch_here = 1 then c."batch__present" else false end as "batch__present"
    from model_rows as c
    full join known_rows as s on s."item_id" = c."item_id"
),
changes as (
    select
        compared."item_id",
        case
            when compared._batch_problem is not null then 'invalid'
            when compared._batch_here is null then 'exit'
            when compared._batch_known is null then 'insert'
            else 'update'
        end as "_batch_change",
        substr(case when compared._batch_send_1 then ',nick' else '' end
            || case when compared._batch_send_2 then ',tags' else '' end
            || case when compared._batch_send_3 then ',batch__present' else '' end, 2) as "_batch_changed",
        case
        when compared._batch_problem is not null then compared._batch_problem
    end as "_batch_reason",
        compared."nick",
        compared."tags",
        compared."batch__present"
    from compared
    left join duplicated on duplicated."item_id" = compared."item_id"
    where
        duplicated."item_id" is null
        and (
            compared._batch_known is null
            or (compared._batch_here is null and compared."_batch_exited_at" is null)
            or (compared._batch_here = 1 and compared."_batch_exited_at" is not null)
            or compared._batch_send_1
            or compared._batch_send_2
            or compared._batch_send_3
        )
    union all
    select
        c."item_id",
        'invalid' as "_batch_change",
        '' as "_batch_changed",
        'duplicate_identifier' as "_batch_reason",
        c."nick",
        c."tags",
        c."batch__present"
    from (select
        cast("Client Id" as VARCHAR) collate posix as "item_id",
        cast("nick" as VARCHAR) collate posix as "nick",
        cast("tags" as VARCHAR[]) as "tags",
        true as "batch__present",
        1 as _batch_here
    from (select * from "shop"."marts"."people") as model) as c
    inner join duplicated on duplicated."item_id" = c."item_id"
)
select
    "item_id",
    cast("_batch_change" as VARCHAR) as "_batch_change",
    cast(case when "_batch_change" = 'invalid' then '' else "_batch_changed" end as VARCHAR) as "_batch_changed",
    cast("_batch_reason" as VARCHAR) as "_batch_reason",
    (row_number() over () - 1) // 1000 as "_batch_page",
    cast('00000000-0000-4000-8000-000000000002' as VARCHAR) as "_batch_delta_id",
    "nick",
    "tags",
    "batch__present"
from changes;

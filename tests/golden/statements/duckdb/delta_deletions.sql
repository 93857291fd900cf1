with model_rows as (
    select
        cast("Client Id" as VARCHAR) collate posix as "custom_id",
        cast(cast("asked" at time zone 'UTC' as TIMESTAMP) as TIMESTAMP) as "requested_at",
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
        case when c._batch_here = 1 then coalesce(case
        when c."custom_id" is null then 'null_identifier'
        when trim(translate(c."custom_id", chr(9) || chr(10) || chr(11) || chr(12) || chr(13), '     ')) = '' then 'empty_identifier'
        when length(c."custom_id") > 511 then 'long_identifier'
        when (
    position(chr(10) in c."custom_id") > 0 or
    position(chr(13) in c."custom_id") > 0) then 'line_break_identifier'
        when not regexp_full_match(c."custom_id", '[^\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]*') then 'control_character_identifier'
        when lower(trim(c."custom_id")) in ('undefined', 'null', 'nil', '(null)', '[object object]', 'true', 'false', 'nan', 'infinity', '-infinity') then 'reserved_identifier'
    end, case when c."requested_at" is null then 'null_requested_at' end) end as _batch_problem,
        case when c._batch_here = 1 then (s."requested_at" is null or c."requested_at" > s."requested_at" or
    position(',requested_at,' in coalesce(s."_batch_doubt", '')) > 0) else false end as _batch_send_1,
        case when s."requested_at" is null or c."requested_at" > s."requested_at" then c."requested_at" else s."requested_at" end as "requested_at"
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
        substr(case when compared._batch_send_1 then ',requested_at' else '' end, 2) as "_batch_changed",
        case
        when compared._batch_problem is not null then compared._batch_problem
    end as "_batch_reason",
        compared."requested_at"
    from compared
    left join duplicated on duplicated."custom_id" = compared."custom_id"
    where
        duplicated."custom_id" is null
        and (
            compared._batch_known is null
            or (compared._batch_here is null and compared."_batch_exited_at" is null)
            or (compared._batch_here = 1 and compared."_batch_exited_at" is not null)
            or compared._batch_send_1
        )
    union all
    select
        c."custom_id",
        'invalid' as "_batch_change",
        '' as "_batch_changed",
        'duplicate_identifier' as "_batch_reason",
        c."requested_at"
    from (select
        cast("Client Id" as VARCHAR) collate posix as "custom_id",
        cast(cast("asked" at time zone 'UTC' as TIMESTAMP) as TIMESTAMP) as "requested_at",
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
    "requested_at"
from changes;

select
                cast(null as VARCHAR) collate posix as "event_id",
                cast(null as VARCHAR) as "custom_id",
                cast(null as VARCHAR) as "batch__name",
                cast(null as TIMESTAMP) as "batch__time",
                cast(null as timestamp) as "_batch_sent_at",
                cast(null as VARCHAR) as "_batch_run_id",
                cast(null as VARCHAR) as "_batch_delta_id",
                cast(null as VARCHAR) as "_batch_doubt",
                cast(null as VARCHAR) as "_batch_reason" limit 0;
select cast(now() at time zone 'UTC' as timestamp) as now_at;
select key from "shop"."marts"."batch_sync_journal" where event = 'asked' limit 1;
with recent_rows as (
    select
        cast("id" as VARCHAR) collate posix as "event_id",
        cast("customer" as VARCHAR) collate posix as "custom_id",
        cast("name" as VARCHAR) collate posix as "batch__name",
        cast("at" at time zone 'UTC' as TIMESTAMP) as "batch__time",
        cast("label" as VARCHAR) collate posix as "batch__label",
        cast("amount" as DECIMAL(18,4)) as "amount",
        cast("items" as VARCHAR) collate posix as "items"
    from (select * from "shop"."marts"."people") as model
    where
        "at" >= cast('2024-05-05 07:13:09+00:00' as TIMESTAMP WITH TIME ZONE)
        and "at" <= cast('2024-05-06 07:08:09+00:00' as TIMESTAMP WITH TIME ZONE)
),
late_rows as (
    select
        cast("id" as VARCHAR) collate posix as "event_id",
        cast("customer" as VARCHAR) collate posix as "custom_id",
        cast("name" as VARCHAR) collate posix as "batch__name",
        cast("at" at time zone 'UTC' as TIMESTAMP) as "batch__time"
    from (select * from "shop"."marts"."people") as model
    where
        "at" >= cast('2024-05-05 07:08:09+00:00' as TIMESTAMP WITH TIME ZONE)
        and "at" < cast('2024-05-05 07:13:09+00:00' as TIMESTAMP WITH TIME ZONE)
),
remembered as (
    select "event_id" as known_id, "custom_id" as known_profile, "batch__name" as known_name, "batch__time" as known_time, "_batch_doubt" as known_doubt
    from "shop"."marts"."people_sent_snapshot"
),
unsent as (
    select
        recent_rows.*,
        remembered.known_id,
        remembered.known_profile,
        remembered.known_doubt,
        count(*) over (partition by recent_rows."event_id") as copies,
        min(recent_rows."custom_id") over (partition by recent_rows."event_id") as first_profile,
        max(recent_rows."custom_id") over (partition by recent_rows."event_id") as last_profile
    from recent_rows
    left join remembered on remembered.known_id = recent_rows."event_id"
    where
        remembered.known_id is null
        or remembered.known_profile <> recent_rows."custom_id"
        or remembered.known_doubt is not null
),
changes as (
    select
        "event_id",
        case
            when "event_id" is null then 'null_event_id'
            when copies > 1 and first_profile <> last_profile then 'event_id_of_two_profiles'
            when copies > 1 then 'duplicate_event_id'
            when known_profile <> "custom_id" then 'event_id_of_two_profiles'
            else case
        when unsent."custom_id" is null then 'null_identifier'
        when trim(translate(unsent."custom_id", chr(9) || chr(10) || chr(11) || chr(12) || chr(13), '     ')) = '' then 'empty_identifier'
        when length(unsent."custom_id") > 511 then 'long_identifier'
        when (
    position(chr(10) in unsent."custom_id") > 0 or
    position(chr(13) in unsent."custom_id") > 0) then 'line_break_identifier'
        when not regexp_full_match(unsent."custom_id", '[^\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]*') then 'control_character_identifier'
        when lower(trim(unsent."custom_id")) in ('undefined', 'null', 'nil', '(null)', '[object object]', 'true', 'false', 'nan', 'infinity', '-infinity') then 'reserved_identifier'
    end
        end as problem,
        case when known_doubt is not null then 1 else 0 end as may_be_sent,
        "custom_id",
        "batch__name",
        "batch__time",
        "batch__label",
        "amount",
        "items"
    from unsent
    union all
    select
        late_rows."event_id",
        'too_old' as problem,
        0 as may_be_sent,
        min(late_rows."custom_id") as "custom_id",
        min(late_rows."batch__name") as "batch__name",
        min(late_rows."batch__time") as "batch__time",
        cast(null as VARCHAR) as "batch__label",
        cast(null as DECIMAL(18,4)) as "amount",
        cast(null as VARCHAR) as "items"
    from late_rows
    left join remembered on remembered.known_id = late_rows."event_id"
    where remembered.known_id is null and late_rows."event_id" is not null
    group by late_rows."event_id"
    union all
    select
        known_id as "event_id",
        'unsure' as problem,
        0 as may_be_sent,
        known_profile as "custom_id",
        known_name as "batch__name",
        known_time as "batch__time",
        cast(null as VARCHAR) as "batch__label",
        cast(null as DECIMAL(18,4)) as "amount",
        cast(null as VARCHAR) as "items"
    from remembered
    where known_doubt is not null and not exists (select 1 from recent_rows where recent_rows."event_id" = remembered.known_id)
)
select
    "event_id",
    cast(case when problem is null then 'insert' else 'invalid' end as VARCHAR) as "_batch_change",
    cast(case when problem is null then 'event' else '' end as VARCHAR) as "_batch_changed",
    cast(case when problem is null and may_be_sent = 1 then 'unsure' else problem end as VARCHAR) as "_batch_reason",
    (row_number() over (order by case when problem is null then 0 else 1 end, "custom_id", "batch__time", "event_id") - 1) // 100 as "_batch_page",
    cast('00000000-0000-4000-8000-000000000002' as VARCHAR) as "_batch_delta_id",
    "custom_id",
    "batch__name",
    "batch__time",
    "batch__label",
    "amount",
    "items"
from changes;

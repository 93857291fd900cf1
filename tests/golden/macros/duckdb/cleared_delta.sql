with sync_rows as (
    select
        cast("Client Id" as VARCHAR) as "custom_id",
        nullif(cast("email" as VARCHAR), '') as "batch__email_address",
        cast("optin" as BOOLEAN) as "batch__email_marketing",
        nullif(cast("phone" as VARCHAR), '') as "batch__phone_number",
        nullif(cast("sms" as VARCHAR), '') as "batch__sms_marketing",
        nullif(cast("lang" as VARCHAR), '') as "batch__language",
        nullif(cast("country" as VARCHAR), '') as "batch__region",
        nullif(cast("zone" as VARCHAR), '') as "batch__timezone",
        case when len(cast("topics" as VARCHAR[])) > 0 then cast("topics" as VARCHAR[]) end as "batch__topic_preferences",
        nullif(cast("nick" as VARCHAR), '') as "nick",
        cast("points" as BIGINT) as "points",
        cast(case when "huge" > cast(99999999999999999999999999999999999999 as HUGEINT) then cast(99999999999999999999999999999999999999 as HUGEINT) when "huge" < -cast(99999999999999999999999999999999999999 as HUGEINT) then -cast(99999999999999999999999999999999999999 as HUGEINT) else "huge" end as DECIMAL(38,0)) as "huge",
        cast("price" as DECIMAL(18,4)) as "price",
        cast("ratio" as DOUBLE) as "ratio",
        cast("vip" as BOOLEAN) as "vip",
        cast("born" as DATE) as "born",
        cast("seen_at" at time zone 'UTC' as TIMESTAMP) as "last_seen",
        nullif(cast("site" as VARCHAR), '') as "site",
        case when len(cast("tags" as VARCHAR[])) > 0 then cast("tags" as VARCHAR[]) end as "tags",
        nullif(cast("note" as VARCHAR), '') as "note",
        nullif(cast("token" as VARCHAR), '') as "token",
        nullif(cast(cast("as_text" as BIGINT) as VARCHAR), '') as "as_text",
        1 as _batch_here
    from (select * from "shop"."main"."cleared") as sync
),
duplicated as (
    select cast("Client Id" as VARCHAR) as "custom_id"
    from (select * from "shop"."main"."cleared") as sync
    where "Client Id" is not null
    group by 1
    having count(*) > 1
),
known_rows as (
    select sent.*, 1 as _batch_known
    from (select * from "shop"."main"."cleared_sent_snapshot") as sent
),
differing as (
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
    position(
        chr(10) in c."custom_id"
    ) > 0 or
    position(
        chr(13) in c."custom_id"
    ) > 0) then 'line_break_identifier'
        when lower(trim(c."custom_id")) in (
            'undefined', 'null', 'nil', '(null)', '[object object]', 'true', 'false', 'nan', 'infinity', '-infinity'
        ) then 'reserved_identifier'
    end end as _batch_reason,
        substr(case when case when c._batch_here = 1 then (
        (c."batch__email_address" is distinct from s."batch__email_address" and c."batch__email_address" is not null)
        or (
    position(
        ',batch__email_address,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__email_address" is not null)
    ) else ( s."batch__email_address" is not null or
    position(
        ',batch__email_address,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__email_address' else '' end
            || case when case when c._batch_here = 1 then (
        (c."batch__email_marketing" is distinct from s."batch__email_marketing" and c."batch__email_marketing" is not null)
        or (
    position(
        ',batch__email_marketing,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__email_marketing" is not null)
    ) else ( s."batch__email_marketing" is not null or
    position(
        ',batch__email_marketing,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__email_marketing' else '' end
            || case when case when c._batch_here = 1 then (
        (c."batch__phone_number" is distinct from s."batch__phone_number" and c."batch__phone_number" is not null)
        or (
    position(
        ',batch__phone_number,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__phone_number" is not null)
    ) else ( s."batch__phone_number" is not null or
    position(
        ',batch__phone_number,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__phone_number' else '' end
            || case when case when c._batch_here = 1 then (
        (c."batch__sms_marketing" is distinct from s."batch__sms_marketing" and c."batch__sms_marketing" is not null)
        or (
    position(
        ',batch__sms_marketing,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__sms_marketing" is not null)
    ) else ( s."batch__sms_marketing" is not null or
    position(
        ',batch__sms_marketing,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__sms_marketing' else '' end
            || case when case when c._batch_here = 1 then (
        (c."batch__language" is distinct from s."batch__language" and c."batch__language" is not null)
        or (
    position(
        ',batch__language,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__language" is not null)
    ) else ( s."batch__language" is not null or
    position(
        ',batch__language,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__language' else '' end
            || case when case when c._batch_here = 1 then (
        (c."batch__region" is distinct from s."batch__region" and c."batch__region" is not null)
        or (
    position(
        ',batch__region,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__region" is not null)
    ) else ( s."batch__region" is not null or
    position(
        ',batch__region,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__region' else '' end
            || case when case when c._batch_here = 1 then (
        (c."batch__timezone" is distinct from s."batch__timezone" and c."batch__timezone" is not null)
        or (
    position(
        ',batch__timezone,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__timezone" is not null)
    ) else ( s."batch__timezone" is not null or
    position(
        ',batch__timezone,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__timezone' else '' end
            || case when case when c._batch_here = 1 then (
        (c."batch__topic_preferences" is distinct from s."batch__topic_preferences" and c."batch__topic_preferences" is not null)
        or (
    position(
        ',batch__topic_preferences,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__topic_preferences" is not null)
    ) else ( s."batch__topic_preferences" is not null or
    position(
        ',batch__topic_preferences,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__topic_preferences' else '' end
            || case when case when c._batch_here = 1 then (
        (c."nick" is distinct from s."nick" and c."nick" is not null)
        or (
    position(
        ',nick,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."nick" is not null)
    ) else ( s."nick" is not null or
    position(
        ',nick,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',nick' else '' end
            || case when case when c._batch_here = 1 then (
        (c."points" is distinct from s."points" and c."points" is not null)
        or (
    position(
        ',points,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."points" is not null)
    ) else ( s."points" is not null or
    position(
        ',points,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',points' else '' end
            || case when case when c._batch_here = 1 then (
        (c."huge" is distinct from s."huge" and c."huge" is not null)
        or (
    position(
        ',huge,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."huge" is not null)
    ) else ( s."huge" is not null or
    position(
        ',huge,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',huge' else '' end
            || case when case when c._batch_here = 1 then (
        (c."price" is distinct from s."price" and c."price" is not null)
        or (
    position(
        ',price,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."price" is not null)
    ) else ( s."price" is not null or
    position(
        ',price,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',price' else '' end
            || case when case when c._batch_here = 1 then (
        (c."ratio" is distinct from s."ratio" and c."ratio" is not null)
        or (
    position(
        ',ratio,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."ratio" is not null)
    ) else ( s."ratio" is not null or
    position(
        ',ratio,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',ratio' else '' end
            || case when case when c._batch_here = 1 then (
        (c."vip" is distinct from s."vip" and c."vip" is not null)
        or (
    position(
        ',vip,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."vip" is not null)
    ) else ( s."vip" is not null or
    position(
        ',vip,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',vip' else '' end
            || case when case when c._batch_here = 1 then (
        (c."born" is distinct from s."born" and c."born" is not null)
        or (
    position(
        ',born,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."born" is not null)
    ) else ( s."born" is not null or
    position(
        ',born,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',born' else '' end
            || case when case when c._batch_here = 1 then (
        (c."last_seen" is distinct from s."last_seen" and c."last_seen" is not null)
        or (
    position(
        ',last_seen,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."last_seen" is not null)
    ) else ( s."last_seen" is not null or
    position(
        ',last_seen,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',last_seen' else '' end
            || case when case when c._batch_here = 1 then (
        (c."site" is distinct from s."site" and c."site" is not null)
        or (
    position(
        ',site,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."site" is not null)
    ) else ( s."site" is not null or
    position(
        ',site,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',site' else '' end
            || case when case when c._batch_here = 1 then (
        (c."tags" is distinct from s."tags" and c."tags" is not null)
        or (
    position(
        ',tags,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."tags" is not null)
    ) else ( s."tags" is not null or
    position(
        ',tags,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',tags' else '' end
            || case when case when c._batch_here = 1 then (
        (c."note" is distinct from s."note" and c."note" is not null)
        or (
    position(
        ',note,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."note" is not null)
    ) else ( s."note" is not null or
    position(
        ',note,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',note' else '' end
            || case when case when c._batch_here = 1 then (
        (c."token" is distinct from s."token" and c."token" is not null)
        or (
    position(
        ',token,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."token" is not null)
    ) else ( s."token" is not null or
    position(
        ',token,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',token' else '' end
            || case when case when c._batch_here = 1 then (
        (c."as_text" is distinct from s."as_text" and c."as_text" is not null)
        or (
    position(
        ',as_text,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."as_text" is not null)
    ) else ( s."as_text" is not null or
    position(
        ',as_text,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',as_text' else '' end, 2) as _batch_changed,
        case when s."_batch_doubt" is not null then nullif(case when
    position(
        ',batch__email_address,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."batch__email_address" is distinct from s."batch__email_address" and c."batch__email_address" is not null)
        or (
    position(
        ',batch__email_address,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__email_address" is not null)
    ) else ( s."batch__email_address" is not null or
    position(
        ',batch__email_address,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',batch__email_address,' else '' end
            || case when
    position(
        ',batch__email_marketing,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."batch__email_marketing" is distinct from s."batch__email_marketing" and c."batch__email_marketing" is not null)
        or (
    position(
        ',batch__email_marketing,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__email_marketing" is not null)
    ) else ( s."batch__email_marketing" is not null or
    position(
        ',batch__email_marketing,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',batch__email_marketing,' else '' end
            || case when
    position(
        ',batch__phone_number,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."batch__phone_number" is distinct from s."batch__phone_number" and c."batch__phone_number" is not null)
        or (
    position(
        ',batch__phone_number,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__phone_number" is not null)
    ) else ( s."batch__phone_number" is not null or
    position(
        ',batch__phone_number,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',batch__phone_number,' else '' end
            || case when
    position(
        ',batch__sms_marketing,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."batch__sms_marketing" is distinct from s."batch__sms_marketing" and c."batch__sms_marketing" is not null)
        or (
    position(
        ',batch__sms_marketing,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__sms_marketing" is not null)
    ) else ( s."batch__sms_marketing" is not null or
    position(
        ',batch__sms_marketing,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',batch__sms_marketing,' else '' end
            || case when
    position(
        ',batch__language,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."batch__language" is distinct from s."batch__language" and c."batch__language" is not null)
        or (
    position(
        ',batch__language,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__language" is not null)
    ) else ( s."batch__language" is not null or
    position(
        ',batch__language,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',batch__language,' else '' end
            || case when
    position(
        ',batch__region,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."batch__region" is distinct from s."batch__region" and c."batch__region" is not null)
        or (
    position(
        ',batch__region,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__region" is not null)
    ) else ( s."batch__region" is not null or
    position(
        ',batch__region,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',batch__region,' else '' end
            || case when
    position(
        ',batch__timezone,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."batch__timezone" is distinct from s."batch__timezone" and c."batch__timezone" is not null)
        or (
    position(
        ',batch__timezone,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__timezone" is not null)
    ) else ( s."batch__timezone" is not null or
    position(
        ',batch__timezone,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',batch__timezone,' else '' end
            || case when
    position(
        ',batch__topic_preferences,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."batch__topic_preferences" is distinct from s."batch__topic_preferences" and c."batch__topic_preferences" is not null)
        or (
    position(
        ',batch__topic_preferences,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__topic_preferences" is not null)
    ) else ( s."batch__topic_preferences" is not null or
    position(
        ',batch__topic_preferences,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',batch__topic_preferences,' else '' end
            || case when
    position(
        ',nick,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."nick" is distinct from s."nick" and c."nick" is not null)
        or (
    position(
        ',nick,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."nick" is not null)
    ) else ( s."nick" is not null or
    position(
        ',nick,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',nick,' else '' end
            || case when
    position(
        ',points,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."points" is distinct from s."points" and c."points" is not null)
        or (
    position(
        ',points,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."points" is not null)
    ) else ( s."points" is not null or
    position(
        ',points,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',points,' else '' end
            || case when
    position(
        ',huge,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."huge" is distinct from s."huge" and c."huge" is not null)
        or (
    position(
        ',huge,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."huge" is not null)
    ) else ( s."huge" is not null or
    position(
        ',huge,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',huge,' else '' end
            || case when
    position(
        ',price,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."price" is distinct from s."price" and c."price" is not null)
        or (
    position(
        ',price,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."price" is not null)
    ) else ( s."price" is not null or
    position(
        ',price,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',price,' else '' end
            || case when
    position(
        ',ratio,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."ratio" is distinct from s."ratio" and c."ratio" is not null)
        or (
    position(
        ',ratio,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."ratio" is not null)
    ) else ( s."ratio" is not null or
    position(
        ',ratio,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',ratio,' else '' end
            || case when
    position(
        ',vip,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."vip" is distinct from s."vip" and c."vip" is not null)
        or (
    position(
        ',vip,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."vip" is not null)
    ) else ( s."vip" is not null or
    position(
        ',vip,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',vip,' else '' end
            || case when
    position(
        ',born,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."born" is distinct from s."born" and c."born" is not null)
        or (
    position(
        ',born,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."born" is not null)
    ) else ( s."born" is not null or
    position(
        ',born,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',born,' else '' end
            || case when
    position(
        ',last_seen,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."last_seen" is distinct from s."last_seen" and c."last_seen" is not null)
        or (
    position(
        ',last_seen,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."last_seen" is not null)
    ) else ( s."last_seen" is not null or
    position(
        ',last_seen,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',last_seen,' else '' end
            || case when
    position(
        ',site,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."site" is distinct from s."site" and c."site" is not null)
        or (
    position(
        ',site,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."site" is not null)
    ) else ( s."site" is not null or
    position(
        ',site,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',site,' else '' end
            || case when
    position(
        ',tags,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."tags" is distinct from s."tags" and c."tags" is not null)
        or (
    position(
        ',tags,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."tags" is not null)
    ) else ( s."tags" is not null or
    position(
        ',tags,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',tags,' else '' end
            || case when
    position(
        ',note,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."note" is distinct from s."note" and c."note" is not null)
        or (
    position(
        ',note,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."note" is not null)
    ) else ( s."note" is not null or
    position(
        ',note,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',note,' else '' end
            || case when
    position(
        ',token,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."token" is distinct from s."token" and c."token" is not null)
        or (
    position(
        ',token,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."token" is not null)
    ) else ( s."token" is not null or
    position(
        ',token,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',token,' else '' end
            || case when
    position(
        ',as_text,' in coalesce(s."_batch_doubt", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."as_text" is distinct from s."as_text" and c."as_text" is not null)
        or (
    position(
        ',as_text,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."as_text" is not null)
    ) else ( s."as_text" is not null or
    position(
        ',as_text,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end) then ',as_text,' else '' end, '') end as "_batch_doubt",
        case when c._batch_here = 1 then coalesce(c."batch__email_address", s."batch__email_address") end as "batch__email_address",
        case when c._batch_here = 1 then coalesce(c."batch__email_marketing", s."batch__email_marketing") end as "batch__email_marketing",
        case when c._batch_here = 1 then coalesce(c."batch__phone_number", s."batch__phone_number") end as "batch__phone_number",
        case when c._batch_here = 1 then coalesce(c."batch__sms_marketing", s."batch__sms_marketing") end as "batch__sms_marketing",
        case when c._batch_here = 1 then coalesce(c."batch__language", s."batch__language") end as "batch__language",
        case when c._batch_here = 1 then coalesce(c."batch__region", s."batch__region") end as "batch__region",
        case when c._batch_here = 1 then coalesce(c."batch__timezone", s."batch__timezone") end as "batch__timezone",
        case when c._batch_here = 1 then coalesce(c."batch__topic_preferences", s."batch__topic_preferences") end as "batch__topic_preferences",
        case when c._batch_here = 1 then coalesce(c."nick", s."nick") end as "nick",
        case when c._batch_here = 1 then coalesce(c."points", s."points") end as "points",
        case when c._batch_here = 1 then coalesce(c."huge", s."huge") end as "huge",
        case when c._batch_here = 1 then coalesce(c."price", s."price") end as "price",
        case when c._batch_here = 1 then coalesce(c."ratio", s."ratio") end as "ratio",
        case when c._batch_here = 1 then coalesce(c."vip", s."vip") end as "vip",
        case when c._batch_here = 1 then coalesce(c."born", s."born") end as "born",
        case when c._batch_here = 1 then coalesce(c."last_seen", s."last_seen") end as "last_seen",
        case when c._batch_here = 1 then coalesce(c."site", s."site") end as "site",
        case when c._batch_here = 1 then coalesce(c."tags", s."tags") end as "tags",
        case when c._batch_here = 1 then coalesce(c."note", s."note") end as "note",
        case when c._batch_here = 1 then coalesce(c."token", s."token") end as "token",
        case when c._batch_here = 1 then coalesce(c."as_text", s."as_text") end as "as_text"
    from sync_rows as c
    full join known_rows as s on s."custom_id" = c."custom_id"
    where
        s._batch_known is null
        or (c._batch_here is null and (s."_batch_exited_at" is null or s."_batch_doubt" is not null))
        or (
            c._batch_here = 1
            and (
                s."_batch_exited_at" is not null
                or s."_batch_doubt" is not null
                or (c."batch__email_address" is distinct from s."batch__email_address" and c."batch__email_address" is not null)
                or (c."batch__email_marketing" is distinct from s."batch__email_marketing" and c."batch__email_marketing" is not null)
                or (c."batch__phone_number" is distinct from s."batch__phone_number" and c."batch__phone_number" is not null)
                or (c."batch__sms_marketing" is distinct from s."batch__sms_marketing" and c."batch__sms_marketing" is not null)
                or (c."batch__language" is distinct from s."batch__language" and c."batch__language" is not null)
                or (c."batch__region" is distinct from s."batch__region" and c."batch__region" is not null)
                or (c."batch__timezone" is distinct from s."batch__timezone" and c."batch__timezone" is not null)
                or (c."batch__topic_preferences" is distinct from s."batch__topic_preferences" and c."batch__topic_preferences" is not null)
                or (c."nick" is distinct from s."nick" and c."nick" is not null)
                or (c."points" is distinct from s."points" and c."points" is not null)
                or (c."huge" is distinct from s."huge" and c."huge" is not null)
                or (c."price" is distinct from s."price" and c."price" is not null)
                or (c."ratio" is distinct from s."ratio" and c."ratio" is not null)
                or (c."vip" is distinct from s."vip" and c."vip" is not null)
                or (c."born" is distinct from s."born" and c."born" is not null)
                or (c."last_seen" is distinct from s."last_seen" and c."last_seen" is not null)
                or (c."site" is distinct from s."site" and c."site" is not null)
                or (c."tags" is distinct from s."tags" and c."tags" is not null)
                or (c."note" is distinct from s."note" and c."note" is not null)
                or (c."token" is distinct from s."token" and c."token" is not null)
                or (c."as_text" is distinct from s."as_text" and c."as_text" is not null)
            )
        )
)
select
    differing."custom_id",
    cast(case when _batch_reason is not null then 'invalid' when _batch_here is null then 'exit' when _batch_known is null then 'insert' else 'update' end as VARCHAR) as "_batch_change",
    cast(case when _batch_reason is null then _batch_changed else '' end as VARCHAR) as "_batch_changed",
    cast(_batch_reason as VARCHAR) as "_batch_reason",
    cast('<delta_id>' as VARCHAR) as "_batch_delta_id",
    cast('207a42d7bc4ba8afa7a098023200c6dd' as VARCHAR) as "_batch_mapping",
    cast('batch__email_address:string,batch__email_marketing:string,batch__phone_number:string,batch__sms_marketing:string,batch__language:string,batch__region:string,batch__timezone:string,batch__topic_preferences:string_array,nick:string,points:integer,huge:integer,price:float,ratio:float,vip:boolean,born:date,last_seen:date,site:url,tags:string_array,note:string,token:string,as_text:string' as VARCHAR) as "_batch_types",
    "_batch_doubt",
    "batch__email_address",
    "batch__email_marketing",
    "batch__phone_number",
    "batch__sms_marketing",
    "batch__language",
    "batch__region",
    "batch__timezone",
    "batch__topic_preferences",
    "nick",
    "points",
    "huge",
    "price",
    "ratio",
    "vip",
    "born",
    "last_seen",
    "site",
    "tags",
    "note",
    "token",
    "as_text"
from differing
left join duplicated on duplicated."custom_id" = differing."custom_id"
where
    duplicated."custom_id" is null
    and (
        _batch_known is null
        or _batch_changed <> ''
        or (_batch_here is null and "_batch_exited_at" is null)
        or (_batch_here = 1 and "_batch_exited_at" is not null)
    )
union all
select
    c."custom_id",
    cast('invalid' as VARCHAR) as "_batch_change",
    cast('' as VARCHAR) as "_batch_changed",
    cast('duplicate_identifier' as VARCHAR) as "_batch_reason",
    cast('<delta_id>' as VARCHAR) as "_batch_delta_id",
    cast('207a42d7bc4ba8afa7a098023200c6dd' as VARCHAR) as "_batch_mapping",
    cast('batch__email_address:string,batch__email_marketing:string,batch__phone_number:string,batch__sms_marketing:string,batch__language:string,batch__region:string,batch__timezone:string,batch__topic_preferences:string_array,nick:string,points:integer,huge:integer,price:float,ratio:float,vip:boolean,born:date,last_seen:date,site:url,tags:string_array,note:string,token:string,as_text:string' as VARCHAR) as "_batch_types",
    cast(null as VARCHAR) as "_batch_doubt",
    c."batch__email_address",
    c."batch__email_marketing",
    c."batch__phone_number",
    c."batch__sms_marketing",
    c."batch__language",
    c."batch__region",
    c."batch__timezone",
    c."batch__topic_preferences",
    c."nick",
    c."points",
    c."huge",
    c."price",
    c."ratio",
    c."vip",
    c."born",
    c."last_seen",
    c."site",
    c."tags",
    c."note",
    c."token",
    c."as_text"
from (select
        cast("Client Id" as VARCHAR) as "custom_id",
        nullif(cast("email" as VARCHAR), '') as "batch__email_address",
        cast("optin" as BOOLEAN) as "batch__email_marketing",
        nullif(cast("phone" as VARCHAR), '') as "batch__phone_number",
        nullif(cast("sms" as VARCHAR), '') as "batch__sms_marketing",
        nullif(cast("lang" as VARCHAR), '') as "batch__language",
        nullif(cast("country" as VARCHAR), '') as "batch__region",
        nullif(cast("zone" as VARCHAR), '') as "batch__timezone",
        case when len(cast("topics" as VARCHAR[])) > 0 then cast("topics" as VARCHAR[]) end as "batch__topic_preferences",
        nullif(cast("nick" as VARCHAR), '') as "nick",
        cast("points" as BIGINT) as "points",
        cast(case when "huge" > cast(99999999999999999999999999999999999999 as HUGEINT) then cast(99999999999999999999999999999999999999 as HUGEINT) when "huge" < -cast(99999999999999999999999999999999999999 as HUGEINT) then -cast(99999999999999999999999999999999999999 as HUGEINT) else "huge" end as DECIMAL(38,0)) as "huge",
        cast("price" as DECIMAL(18,4)) as "price",
        cast("ratio" as DOUBLE) as "ratio",
        cast("vip" as BOOLEAN) as "vip",
        cast("born" as DATE) as "born",
        cast("seen_at" at time zone 'UTC' as TIMESTAMP) as "last_seen",
        nullif(cast("site" as VARCHAR), '') as "site",
        case when len(cast("tags" as VARCHAR[])) > 0 then cast("tags" as VARCHAR[]) end as "tags",
        nullif(cast("note" as VARCHAR), '') as "note",
        nullif(cast("token" as VARCHAR), '') as "token",
        nullif(cast(cast("as_text" as BIGINT) as VARCHAR), '') as "as_text",
        1 as _batch_here
    from (select * from "shop"."main"."cleared") as sync) as c
inner join duplicated on duplicated."custom_id" = c."custom_id"
order by 1

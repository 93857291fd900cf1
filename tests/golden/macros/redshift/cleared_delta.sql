with sync_rows as (
    select
        cast("Client Id" as varchar(65535)) as "custom_id",
        case when length(cast("email" as varchar(65535))) > 0 then cast("email" as varchar(65535)) end as "batch__email_address",
        cast("optin" as boolean) as "batch__email_marketing",
        case when length(cast("phone" as varchar(65535))) > 0 then cast("phone" as varchar(65535)) end as "batch__phone_number",
        case when length(cast("sms" as varchar(65535))) > 0 then cast("sms" as varchar(65535)) end as "batch__sms_marketing",
        case when length(cast("lang" as varchar(65535))) > 0 then cast("lang" as varchar(65535)) end as "batch__language",
        case when length(cast("country" as varchar(65535))) > 0 then cast("country" as varchar(65535)) end as "batch__region",
        case when length(cast("zone" as varchar(65535))) > 0 then cast("zone" as varchar(65535)) end as "batch__timezone",
        nullif(json_serialize("topics"), '[]') as "batch__topic_preferences",
        case when length(cast("nick" as varchar(65535))) > 0 then cast("nick" as varchar(65535)) end as "nick",
        cast("points" as bigint) as "points",
        cast("huge" as numeric(38,0)) as "huge",
        cast("price" as numeric(18,4)) as "price",
        cast("ratio" as double precision) as "ratio",
        cast("vip" as boolean) as "vip",
        cast("born" as date) as "born",
        cast("seen_at" at time zone 'UTC' as timestamp) as "last_seen",
        case when length(cast("site" as varchar(65535))) > 0 then cast("site" as varchar(65535)) end as "site",
        nullif(json_serialize("tags"), '[]') as "tags",
        nullif(json_serialize("note"), '[]') as "note",
        case when length(cast("token" as varchar(65535))) > 0 then cast("token" as varchar(65535)) end as "token",
        case when length(cast(cast("as_text" as bigint) as varchar(65535))) > 0 then cast(cast("as_text" as bigint) as varchar(65535)) end as "as_text",
        1 as _batch_here
    from (select * from "marts"."shop"."cleared") as sync
),
duplicated as (
    select cast("Client Id" as varchar(65535)) as "custom_id"
    from (select * from "marts"."shop"."cleared") as sync
    where "Client Id" is not null
    group by 1
    having count(*) > 1
),
known_rows as (
    select sent.*, 1 as _batch_known
    from (select * from "marts"."shop"."cleared_sent_snapshot") as sent
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
        (case when c."batch__email_address" = s."batch__email_address" and length(c."batch__email_address") = length(s."batch__email_address") or (c."batch__email_address" is null and s."batch__email_address" is null) then 0 else 1 end = 1 and c."batch__email_address" is not null)
        or (
    position(
        ',batch__email_address,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__email_address" is not null)
    ) else ( s."batch__email_address" is not null or
    position(
        ',batch__email_address,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__email_address' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."batch__email_marketing" = s."batch__email_marketing" or (c."batch__email_marketing" is null and s."batch__email_marketing" is null) then 0 else 1 end = 1 and c."batch__email_marketing" is not null)
        or (
    position(
        ',batch__email_marketing,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__email_marketing" is not null)
    ) else ( s."batch__email_marketing" is not null or
    position(
        ',batch__email_marketing,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__email_marketing' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."batch__phone_number" = s."batch__phone_number" and length(c."batch__phone_number") = length(s."batch__phone_number") or (c."batch__phone_number" is null and s."batch__phone_number" is null) then 0 else 1 end = 1 and c."batch__phone_number" is not null)
        or (
    position(
        ',batch__phone_number,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__phone_number" is not null)
    ) else ( s."batch__phone_number" is not null or
    position(
        ',batch__phone_number,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__phone_number' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."batch__sms_marketing" = s."batch__sms_marketing" and length(c."batch__sms_marketing") = length(s."batch__sms_marketing") or (c."batch__sms_marketing" is null and s."batch__sms_marketing" is null) then 0 else 1 end = 1 and c."batch__sms_marketing" is not null)
        or (
    position(
        ',batch__sms_marketing,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__sms_marketing" is not null)
    ) else ( s."batch__sms_marketing" is not null or
    position(
        ',batch__sms_marketing,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__sms_marketing' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."batch__language" = s."batch__language" and length(c."batch__language") = length(s."batch__language") or (c."batch__language" is null and s."batch__language" is null) then 0 else 1 end = 1 and c."batch__language" is not null)
        or (
    position(
        ',batch__language,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__language" is not null)
    ) else ( s."batch__language" is not null or
    position(
        ',batch__language,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__language' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."batch__region" = s."batch__region" and length(c."batch__region") = length(s."batch__region") or (c."batch__region" is null and s."batch__region" is null) then 0 else 1 end = 1 and c."batch__region" is not null)
        or (
    position(
        ',batch__region,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__region" is not null)
    ) else ( s."batch__region" is not null or
    position(
        ',batch__region,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__region' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."batch__timezone" = s."batch__timezone" and length(c."batch__timezone") = length(s."batch__timezone") or (c."batch__timezone" is null and s."batch__timezone" is null) then 0 else 1 end = 1 and c."batch__timezone" is not null)
        or (
    position(
        ',batch__timezone,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__timezone" is not null)
    ) else ( s."batch__timezone" is not null or
    position(
        ',batch__timezone,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__timezone' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."batch__topic_preferences" = s."batch__topic_preferences" and length(c."batch__topic_preferences") = length(s."batch__topic_preferences") or (c."batch__topic_preferences" is null and s."batch__topic_preferences" is null) then 0 else 1 end = 1 and c."batch__topic_preferences" is not null)
        or (
    position(
        ',batch__topic_preferences,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."batch__topic_preferences" is not null)
    ) else ( s."batch__topic_preferences" is not null or
    position(
        ',batch__topic_preferences,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',batch__topic_preferences' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."nick" = s."nick" and length(c."nick") = length(s."nick") or (c."nick" is null and s."nick" is null) then 0 else 1 end = 1 and c."nick" is not null)
        or (
    position(
        ',nick,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."nick" is not null)
    ) else ( s."nick" is not null or
    position(
        ',nick,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',nick' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."points" = s."points" or (c."points" is null and s."points" is null) then 0 else 1 end = 1 and c."points" is not null)
        or (
    position(
        ',points,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."points" is not null)
    ) else ( s."points" is not null or
    position(
        ',points,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',points' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."huge" = s."huge" or (c."huge" is null and s."huge" is null) then 0 else 1 end = 1 and c."huge" is not null)
        or (
    position(
        ',huge,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."huge" is not null)
    ) else ( s."huge" is not null or
    position(
        ',huge,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',huge' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."price" = s."price" or (c."price" is null and s."price" is null) then 0 else 1 end = 1 and c."price" is not null)
        or (
    position(
        ',price,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."price" is not null)
    ) else ( s."price" is not null or
    position(
        ',price,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',price' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."ratio" = s."ratio" or (c."ratio" is null and s."ratio" is null) then 0 else 1 end = 1 and c."ratio" is not null)
        or (
    position(
        ',ratio,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."ratio" is not null)
    ) else ( s."ratio" is not null or
    position(
        ',ratio,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',ratio' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."vip" = s."vip" or (c."vip" is null and s."vip" is null) then 0 else 1 end = 1 and c."vip" is not null)
        or (
    position(
        ',vip,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."vip" is not null)
    ) else ( s."vip" is not null or
    position(
        ',vip,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',vip' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."born" = s."born" or (c."born" is null and s."born" is null) then 0 else 1 end = 1 and c."born" is not null)
        or (
    position(
        ',born,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."born" is not null)
    ) else ( s."born" is not null or
    position(
        ',born,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',born' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."last_seen" = s."last_seen" or (c."last_seen" is null and s."last_seen" is null) then 0 else 1 end = 1 and c."last_seen" is not null)
        or (
    position(
        ',last_seen,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."last_seen" is not null)
    ) else ( s."last_seen" is not null or
    position(
        ',last_seen,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',last_seen' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."site" = s."site" and length(c."site") = length(s."site") or (c."site" is null and s."site" is null) then 0 else 1 end = 1 and c."site" is not null)
        or (
    position(
        ',site,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."site" is not null)
    ) else ( s."site" is not null or
    position(
        ',site,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',site' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."tags" = s."tags" and length(c."tags") = length(s."tags") or (c."tags" is null and s."tags" is null) then 0 else 1 end = 1 and c."tags" is not null)
        or (
    position(
        ',tags,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."tags" is not null)
    ) else ( s."tags" is not null or
    position(
        ',tags,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',tags' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."note" = s."note" and length(c."note") = length(s."note") or (c."note" is null and s."note" is null) then 0 else 1 end = 1 and c."note" is not null)
        or (
    position(
        ',note,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."note" is not null)
    ) else ( s."note" is not null or
    position(
        ',note,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',note' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."token" = s."token" and length(c."token") = length(s."token") or (c."token" is null and s."token" is null) then 0 else 1 end = 1 and c."token" is not null)
        or (
    position(
        ',token,' in coalesce(s."_batch_doubt", '')
    ) > 0 and c."token" is not null)
    ) else ( s."token" is not null or
    position(
        ',token,' in coalesce(s."_batch_doubt", '')
    ) > 0 ) end then ',token' else '' end
            || case when case when c._batch_here = 1 then (
        (case when c."as_text" = s."as_text" and length(c."as_text") = length(s."as_text") or (c."as_text" is null and s."as_text" is null) then 0 else 1 end = 1 and c."as_text" is not null)
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
        (case when c."batch__email_address" = s."batch__email_address" and length(c."batch__email_address") = length(s."batch__email_address") or (c."batch__email_address" is null and s."batch__email_address" is null) then 0 else 1 end = 1 and c."batch__email_address" is not null)
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
        (case when c."batch__email_marketing" = s."batch__email_marketing" or (c."batch__email_marketing" is null and s."batch__email_marketing" is null) then 0 else 1 end = 1 and c."batch__email_marketing" is not null)
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
        (case when c."batch__phone_number" = s."batch__phone_number" and length(c."batch__phone_number") = length(s."batch__phone_number") or (c."batch__phone_number" is null and s."batch__phone_number" is null) then 0 else 1 end = 1 and c."batch__phone_number" is not null)
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
        (case when c."batch__sms_marketing" = s."batch__sms_marketing" and length(c."batch__sms_marketing") = length(s."batch__sms_marketing") or (c."batch__sms_marketing" is null and s."batch__sms_marketing" is null) then 0 else 1 end = 1 and c."batch__sms_marketing" is not null)
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
        (case when c."batch__language" = s."batch__language" and length(c."batch__language") = length(s."batch__language") or (c."batch__language" is null and s."batch__language" is null) then 0 else 1 end = 1 and c."batch__language" is not null)
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
        (case when c."batch__region" = s."batch__region" and length(c."batch__region") = length(s."batch__region") or (c."batch__region" is null and s."batch__region" is null) then 0 else 1 end = 1 and c."batch__region" is not null)
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
        (case when c."batch__timezone" = s."batch__timezone" and length(c."batch__timezone") = length(s."batch__timezone") or (c."batch__timezone" is null and s."batch__timezone" is null) then 0 else 1 end = 1 and c."batch__timezone" is not null)
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
        (case when c."batch__topic_preferences" = s."batch__topic_preferences" and length(c."batch__topic_preferences") = length(s."batch__topic_preferences") or (c."batch__topic_preferences" is null and s."batch__topic_preferences" is null) then 0 else 1 end = 1 and c."batch__topic_preferences" is not null)
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
        (case when c."nick" = s."nick" and length(c."nick") = length(s."nick") or (c."nick" is null and s."nick" is null) then 0 else 1 end = 1 and c."nick" is not null)
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
        (case when c."points" = s."points" or (c."points" is null and s."points" is null) then 0 else 1 end = 1 and c."points" is not null)
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
        (case when c."huge" = s."huge" or (c."huge" is null and s."huge" is null) then 0 else 1 end = 1 and c."huge" is not null)
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
        (case when c."price" = s."price" or (c."price" is null and s."price" is null) then 0 else 1 end = 1 and c."price" is not null)
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
        (case when c."ratio" = s."ratio" or (c."ratio" is null and s."ratio" is null) then 0 else 1 end = 1 and c."ratio" is not null)
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
        (case when c."vip" = s."vip" or (c."vip" is null and s."vip" is null) then 0 else 1 end = 1 and c."vip" is not null)
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
        (case when c."born" = s."born" or (c."born" is null and s."born" is null) then 0 else 1 end = 1 and c."born" is not null)
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
        (case when c."last_seen" = s."last_seen" or (c."last_seen" is null and s."last_seen" is null) then 0 else 1 end = 1 and c."last_seen" is not null)
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
        (case when c."site" = s."site" and length(c."site") = length(s."site") or (c."site" is null and s."site" is null) then 0 else 1 end = 1 and c."site" is not null)
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
        (case when c."tags" = s."tags" and length(c."tags") = length(s."tags") or (c."tags" is null and s."tags" is null) then 0 else 1 end = 1 and c."tags" is not null)
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
        (case when c."note" = s."note" and length(c."note") = length(s."note") or (c."note" is null and s."note" is null) then 0 else 1 end = 1 and c."note" is not null)
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
        (case when c."token" = s."token" and length(c."token") = length(s."token") or (c."token" is null and s."token" is null) then 0 else 1 end = 1 and c."token" is not null)
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
        (case when c."as_text" = s."as_text" and length(c."as_text") = length(s."as_text") or (c."as_text" is null and s."as_text" is null) then 0 else 1 end = 1 and c."as_text" is not null)
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
                or (case when c."batch__email_address" = s."batch__email_address" and length(c."batch__email_address") = length(s."batch__email_address") or (c."batch__email_address" is null and s."batch__email_address" is null) then 0 else 1 end = 1 and c."batch__email_address" is not null)
                or (case when c."batch__email_marketing" = s."batch__email_marketing" or (c."batch__email_marketing" is null and s."batch__email_marketing" is null) then 0 else 1 end = 1 and c."batch__email_marketing" is not null)
                or (case when c."batch__phone_number" = s."batch__phone_number" and length(c."batch__phone_number") = length(s."batch__phone_number") or (c."batch__phone_number" is null and s."batch__phone_number" is null) then 0 else 1 end = 1 and c."batch__phone_number" is not null)
                or (case when c."batch__sms_marketing" = s."batch__sms_marketing" and length(c."batch__sms_marketing") = length(s."batch__sms_marketing") or (c."batch__sms_marketing" is null and s."batch__sms_marketing" is null) then 0 else 1 end = 1 and c."batch__sms_marketing" is not null)
                or (case when c."batch__language" = s."batch__language" and length(c."batch__language") = length(s."batch__language") or (c."batch__language" is null and s."batch__language" is null) then 0 else 1 end = 1 and c."batch__language" is not null)
                or (case when c."batch__region" = s."batch__region" and length(c."batch__region") = length(s."batch__region") or (c."batch__region" is null and s."batch__region" is null) then 0 else 1 end = 1 and c."batch__region" is not null)
                or (case when c."batch__timezone" = s."batch__timezone" and length(c."batch__timezone") = length(s."batch__timezone") or (c."batch__timezone" is null and s."batch__timezone" is null) then 0 else 1 end = 1 and c."batch__timezone" is not null)
                or (case when c."batch__topic_preferences" = s."batch__topic_preferences" and length(c."batch__topic_preferences") = length(s."batch__topic_preferences") or (c."batch__topic_preferences" is null and s."batch__topic_preferences" is null) then 0 else 1 end = 1 and c."batch__topic_preferences" is not null)
                or (case when c."nick" = s."nick" and length(c."nick") = length(s."nick") or (c."nick" is null and s."nick" is null) then 0 else 1 end = 1 and c."nick" is not null)
                or (case when c."points" = s."points" or (c."points" is null and s."points" is null) then 0 else 1 end = 1 and c."points" is not null)
                or (case when c."huge" = s."huge" or (c."huge" is null and s."huge" is null) then 0 else 1 end = 1 and c."huge" is not null)
                or (case when c."price" = s."price" or (c."price" is null and s."price" is null) then 0 else 1 end = 1 and c."price" is not null)
                or (case when c."ratio" = s."ratio" or (c."ratio" is null and s."ratio" is null) then 0 else 1 end = 1 and c."ratio" is not null)
                or (case when c."vip" = s."vip" or (c."vip" is null and s."vip" is null) then 0 else 1 end = 1 and c."vip" is not null)
                or (case when c."born" = s."born" or (c."born" is null and s."born" is null) then 0 else 1 end = 1 and c."born" is not null)
                or (case when c."last_seen" = s."last_seen" or (c."last_seen" is null and s."last_seen" is null) then 0 else 1 end = 1 and c."last_seen" is not null)
                or (case when c."site" = s."site" and length(c."site") = length(s."site") or (c."site" is null and s."site" is null) then 0 else 1 end = 1 and c."site" is not null)
                or (case when c."tags" = s."tags" and length(c."tags") = length(s."tags") or (c."tags" is null and s."tags" is null) then 0 else 1 end = 1 and c."tags" is not null)
                or (case when c."note" = s."note" and length(c."note") = length(s."note") or (c."note" is null and s."note" is null) then 0 else 1 end = 1 and c."note" is not null)
                or (case when c."token" = s."token" and length(c."token") = length(s."token") or (c."token" is null and s."token" is null) then 0 else 1 end = 1 and c."token" is not null)
                or (case when c."as_text" = s."as_text" and length(c."as_text") = length(s."as_text") or (c."as_text" is null and s."as_text" is null) then 0 else 1 end = 1 and c."as_text" is not null)
            )
        )
)
select
    differing."custom_id",
    cast(case when _batch_reason is not null then 'invalid' when _batch_here is null then 'exit' when _batch_known is null then 'insert' else 'update' end as varchar(65535)) as "_batch_change",
    cast(case when _batch_reason is null then _batch_changed else '' end as varchar(65535)) as "_batch_changed",
    cast(_batch_reason as varchar(65535)) as "_batch_reason",
    cast('<delta_id>' as varchar(65535)) as "_batch_delta_id",
    cast('207a42d7bc4ba8afa7a098023200c6dd' as varchar(65535)) as "_batch_mapping",
    cast('batch__email_address:string,batch__email_marketing:string,batch__phone_number:string,batch__sms_marketing:string,batch__language:string,batch__region:string,batch__timezone:string,batch__topic_preferences:string_array,nick:string,points:integer,huge:integer,price:float,ratio:float,vip:boolean,born:date,last_seen:date,site:url,tags:string_array,note:string,token:string,as_text:string' as varchar(65535)) as "_batch_types",
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
    cast('invalid' as varchar(65535)) as "_batch_change",
    cast('' as varchar(65535)) as "_batch_changed",
    cast('duplicate_identifier' as varchar(65535)) as "_batch_reason",
    cast('<delta_id>' as varchar(65535)) as "_batch_delta_id",
    cast('207a42d7bc4ba8afa7a098023200c6dd' as varchar(65535)) as "_batch_mapping",
    cast('batch__email_address:string,batch__email_marketing:string,batch__phone_number:string,batch__sms_marketing:string,batch__language:string,batch__region:string,batch__timezone:string,batch__topic_preferences:string_array,nick:string,points:integer,huge:integer,price:float,ratio:float,vip:boolean,born:date,last_seen:date,site:url,tags:string_array,note:string,token:string,as_text:string' as varchar(65535)) as "_batch_types",
    cast(null as varchar(65535)) as "_batch_doubt",
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
        cast("Client Id" as varchar(65535)) as "custom_id",
        case when length(cast("email" as varchar(65535))) > 0 then cast("email" as varchar(65535)) end as "batch__email_address",
        cast("optin" as boolean) as "batch__email_marketing",
        case when length(cast("phone" as varchar(65535))) > 0 then cast("phone" as varchar(65535)) end as "batch__phone_number",
        case when length(cast("sms" as varchar(65535))) > 0 then cast("sms" as varchar(65535)) end as "batch__sms_marketing",
        case when length(cast("lang" as varchar(65535))) > 0 then cast("lang" as varchar(65535)) end as "batch__language",
        case when length(cast("country" as varchar(65535))) > 0 then cast("country" as varchar(65535)) end as "batch__region",
        case when length(cast("zone" as varchar(65535))) > 0 then cast("zone" as varchar(65535)) end as "batch__timezone",
        nullif(json_serialize("topics"), '[]') as "batch__topic_preferences",
        case when length(cast("nick" as varchar(65535))) > 0 then cast("nick" as varchar(65535)) end as "nick",
        cast("points" as bigint) as "points",
        cast("huge" as numeric(38,0)) as "huge",
        cast("price" as numeric(18,4)) as "price",
        cast("ratio" as double precision) as "ratio",
        cast("vip" as boolean) as "vip",
        cast("born" as date) as "born",
        cast("seen_at" at time zone 'UTC' as timestamp) as "last_seen",
        case when length(cast("site" as varchar(65535))) > 0 then cast("site" as varchar(65535)) end as "site",
        nullif(json_serialize("tags"), '[]') as "tags",
        nullif(json_serialize("note"), '[]') as "note",
        case when length(cast("token" as varchar(65535))) > 0 then cast("token" as varchar(65535)) end as "token",
        case when length(cast(cast("as_text" as bigint) as varchar(65535))) > 0 then cast(cast("as_text" as bigint) as varchar(65535)) end as "as_text",
        1 as _batch_here
    from (select * from "marts"."shop"."cleared") as sync) as c
inner join duplicated on duplicated."custom_id" = c."custom_id"

with sync_rows as (
    select
        cast("Client Id" as VARCHAR) as "CUSTOM_ID",
        nullif(cast("email" as VARCHAR), '') as "BATCH__EMAIL_ADDRESS",
        cast("optin" as BOOLEAN) as "BATCH__EMAIL_MARKETING",
        nullif(cast("phone" as VARCHAR), '') as "BATCH__PHONE_NUMBER",
        nullif(cast("sms" as VARCHAR), '') as "BATCH__SMS_MARKETING",
        nullif(cast("lang" as VARCHAR), '') as "BATCH__LANGUAGE",
        nullif(cast("country" as VARCHAR), '') as "BATCH__REGION",
        nullif(cast("zone" as VARCHAR), '') as "BATCH__TIMEZONE",
        nullif(to_json("topics"), '[]') as "BATCH__TOPIC_PREFERENCES",
        nullif(cast("nick" as VARCHAR), '') as "NICK",
        cast("points" as NUMBER(38,0)) as "POINTS",
        cast("huge" as NUMBER(38,0)) as "HUGE",
        cast("price" as NUMBER(18,4)) as "PRICE",
        cast("ratio" as FLOAT) as "RATIO",
        cast("vip" as BOOLEAN) as "VIP",
        cast("born" as DATE) as "BORN",
        cast(convert_timezone('UTC', "seen_at") as TIMESTAMP_NTZ(6)) as "LAST_SEEN",
        nullif(cast("site" as VARCHAR), '') as "SITE",
        nullif(to_json("tags"), '[]') as "TAGS",
        nullif(to_json("note"), '') as "NOTE",
        nullif(cast("token" as VARCHAR), '') as "TOKEN",
        nullif(cast(cast("as_text" as NUMBER(38,0)) as VARCHAR), '') as "AS_TEXT",
        1 as _batch_here
    from (select * from SHOP.ANALYTICS.cleared) as sync
),
duplicated as (
    select cast("Client Id" as VARCHAR) as "CUSTOM_ID"
    from (select * from SHOP.ANALYTICS.cleared) as sync
    where "Client Id" is not null
    group by 1
    having count(*) > 1
),
known_rows as (
    select sent.*, 1 as _batch_known
    from (select * from SHOP.ANALYTICS.cleared_sent_snapshot) as sent
),
differing as (
    select
        coalesce(c."CUSTOM_ID", s."CUSTOM_ID") as "CUSTOM_ID",
        c._batch_here,
        s._batch_known,
        s."_BATCH_EXITED_AT",
        case when c._batch_here = 1 then case
        when c."CUSTOM_ID" is null then 'null_identifier'
        when trim(translate(c."CUSTOM_ID", chr(9) || chr(10) || chr(11) || chr(12) || chr(13), '     ')) = '' then 'empty_identifier'
        when length(c."CUSTOM_ID") > 511 then 'long_identifier'
        when (
    position(
        chr(10) in c."CUSTOM_ID"
    ) > 0 or
    position(
        chr(13) in c."CUSTOM_ID"
    ) > 0) then 'line_break_identifier'
        when lower(trim(c."CUSTOM_ID")) in (
            'undefined', 'null', 'nil', '(null)', '[object object]', 'true', 'false', 'nan', 'infinity', '-infinity'
        ) then 'reserved_identifier'
    end end as _batch_reason,
        substr(case when case when c._batch_here = 1 then (
        (c."BATCH__EMAIL_ADDRESS" is distinct from s."BATCH__EMAIL_ADDRESS" and c."BATCH__EMAIL_ADDRESS" is not null)
        or (
    position(
        ',batch__email_address,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__EMAIL_ADDRESS" is not null)
    ) else ( s."BATCH__EMAIL_ADDRESS" is not null or
    position(
        ',batch__email_address,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',batch__email_address' else '' end
            || case when case when c._batch_here = 1 then (
        (c."BATCH__EMAIL_MARKETING" is distinct from s."BATCH__EMAIL_MARKETING" and c."BATCH__EMAIL_MARKETING" is not null)
        or (
    position(
        ',batch__email_marketing,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__EMAIL_MARKETING" is not null)
    ) else ( s."BATCH__EMAIL_MARKETING" is not null or
    position(
        ',batch__email_marketing,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',batch__email_marketing' else '' end
            || case when case when c._batch_here = 1 then (
        (c."BATCH__PHONE_NUMBER" is distinct from s."BATCH__PHONE_NUMBER" and c."BATCH__PHONE_NUMBER" is not null)
        or (
    position(
        ',batch__phone_number,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__PHONE_NUMBER" is not null)
    ) else ( s."BATCH__PHONE_NUMBER" is not null or
    position(
        ',batch__phone_number,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',batch__phone_number' else '' end
            || case when case when c._batch_here = 1 then (
        (c."BATCH__SMS_MARKETING" is distinct from s."BATCH__SMS_MARKETING" and c."BATCH__SMS_MARKETING" is not null)
        or (
    position(
        ',batch__sms_marketing,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__SMS_MARKETING" is not null)
    ) else ( s."BATCH__SMS_MARKETING" is not null or
    position(
        ',batch__sms_marketing,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',batch__sms_marketing' else '' end
            || case when case when c._batch_here = 1 then (
        (c."BATCH__LANGUAGE" is distinct from s."BATCH__LANGUAGE" and c."BATCH__LANGUAGE" is not null)
        or (
    position(
        ',batch__language,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__LANGUAGE" is not null)
    ) else ( s."BATCH__LANGUAGE" is not null or
    position(
        ',batch__language,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',batch__language' else '' end
            || case when case when c._batch_here = 1 then (
        (c."BATCH__REGION" is distinct from s."BATCH__REGION" and c."BATCH__REGION" is not null)
        or (
    position(
        ',batch__region,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__REGION" is not null)
    ) else ( s."BATCH__REGION" is not null or
    position(
        ',batch__region,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',batch__region' else '' end
            || case when case when c._batch_here = 1 then (
        (c."BATCH__TIMEZONE" is distinct from s."BATCH__TIMEZONE" and c."BATCH__TIMEZONE" is not null)
        or (
    position(
        ',batch__timezone,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__TIMEZONE" is not null)
    ) else ( s."BATCH__TIMEZONE" is not null or
    position(
        ',batch__timezone,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',batch__timezone' else '' end
            || case when case when c._batch_here = 1 then (
        (c."BATCH__TOPIC_PREFERENCES" is distinct from s."BATCH__TOPIC_PREFERENCES" and c."BATCH__TOPIC_PREFERENCES" is not null)
        or (
    position(
        ',batch__topic_preferences,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__TOPIC_PREFERENCES" is not null)
    ) else ( s."BATCH__TOPIC_PREFERENCES" is not null or
    position(
        ',batch__topic_preferences,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',batch__topic_preferences' else '' end
            || case when case when c._batch_here = 1 then (
        (c."NICK" is distinct from s."NICK" and c."NICK" is not null)
        or (
    position(
        ',nick,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."NICK" is not null)
    ) else ( s."NICK" is not null or
    position(
        ',nick,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',nick' else '' end
            || case when case when c._batch_here = 1 then (
        (c."POINTS" is distinct from s."POINTS" and c."POINTS" is not null)
        or (
    position(
        ',points,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."POINTS" is not null)
    ) else ( s."POINTS" is not null or
    position(
        ',points,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',points' else '' end
            || case when case when c._batch_here = 1 then (
        (c."HUGE" is distinct from s."HUGE" and c."HUGE" is not null)
        or (
    position(
        ',huge,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."HUGE" is not null)
    ) else ( s."HUGE" is not null or
    position(
        ',huge,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',huge' else '' end
            || case when case when c._batch_here = 1 then (
        (c."PRICE" is distinct from s."PRICE" and c."PRICE" is not null)
        or (
    position(
        ',price,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."PRICE" is not null)
    ) else ( s."PRICE" is not null or
    position(
        ',price,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',price' else '' end
            || case when case when c._batch_here = 1 then (
        (c."RATIO" is distinct from s."RATIO" and c."RATIO" is not null)
        or (
    position(
        ',ratio,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."RATIO" is not null)
    ) else ( s."RATIO" is not null or
    position(
        ',ratio,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',ratio' else '' end
            || case when case when c._batch_here = 1 then (
        (c."VIP" is distinct from s."VIP" and c."VIP" is not null)
        or (
    position(
        ',vip,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."VIP" is not null)
    ) else ( s."VIP" is not null or
    position(
        ',vip,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',vip' else '' end
            || case when case when c._batch_here = 1 then (
        (c."BORN" is distinct from s."BORN" and c."BORN" is not null)
        or (
    position(
        ',born,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BORN" is not null)
    ) else ( s."BORN" is not null or
    position(
        ',born,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',born' else '' end
            || case when case when c._batch_here = 1 then (
        (c."LAST_SEEN" is distinct from s."LAST_SEEN" and c."LAST_SEEN" is not null)
        or (
    position(
        ',last_seen,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."LAST_SEEN" is not null)
    ) else ( s."LAST_SEEN" is not null or
    position(
        ',last_seen,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',last_seen' else '' end
            || case when case when c._batch_here = 1 then (
        (c."SITE" is distinct from s."SITE" and c."SITE" is not null)
        or (
    position(
        ',site,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."SITE" is not null)
    ) else ( s."SITE" is not null or
    position(
        ',site,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',site' else '' end
            || case when case when c._batch_here = 1 then (
        (c."TAGS" is distinct from s."TAGS" and c."TAGS" is not null)
        or (
    position(
        ',tags,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."TAGS" is not null)
    ) else ( s."TAGS" is not null or
    position(
        ',tags,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',tags' else '' end
            || case when case when c._batch_here = 1 then (
        (c."NOTE" is distinct from s."NOTE" and c."NOTE" is not null)
        or (
    position(
        ',note,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."NOTE" is not null)
    ) else ( s."NOTE" is not null or
    position(
        ',note,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',note' else '' end
            || case when case when c._batch_here = 1 then (
        (c."TOKEN" is distinct from s."TOKEN" and c."TOKEN" is not null)
        or (
    position(
        ',token,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."TOKEN" is not null)
    ) else ( s."TOKEN" is not null or
    position(
        ',token,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',token' else '' end
            || case when case when c._batch_here = 1 then (
        (c."AS_TEXT" is distinct from s."AS_TEXT" and c."AS_TEXT" is not null)
        or (
    position(
        ',as_text,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."AS_TEXT" is not null)
    ) else ( s."AS_TEXT" is not null or
    position(
        ',as_text,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end then ',as_text' else '' end, 2) as _batch_changed,
        case when s."_BATCH_DOUBT" is not null then nullif(case when
    position(
        ',batch__email_address,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."BATCH__EMAIL_ADDRESS" is distinct from s."BATCH__EMAIL_ADDRESS" and c."BATCH__EMAIL_ADDRESS" is not null)
        or (
    position(
        ',batch__email_address,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__EMAIL_ADDRESS" is not null)
    ) else ( s."BATCH__EMAIL_ADDRESS" is not null or
    position(
        ',batch__email_address,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',batch__email_address,' else '' end
            || case when
    position(
        ',batch__email_marketing,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."BATCH__EMAIL_MARKETING" is distinct from s."BATCH__EMAIL_MARKETING" and c."BATCH__EMAIL_MARKETING" is not null)
        or (
    position(
        ',batch__email_marketing,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__EMAIL_MARKETING" is not null)
    ) else ( s."BATCH__EMAIL_MARKETING" is not null or
    position(
        ',batch__email_marketing,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',batch__email_marketing,' else '' end
            || case when
    position(
        ',batch__phone_number,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."BATCH__PHONE_NUMBER" is distinct from s."BATCH__PHONE_NUMBER" and c."BATCH__PHONE_NUMBER" is not null)
        or (
    position(
        ',batch__phone_number,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__PHONE_NUMBER" is not null)
    ) else ( s."BATCH__PHONE_NUMBER" is not null or
    position(
        ',batch__phone_number,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',batch__phone_number,' else '' end
            || case when
    position(
        ',batch__sms_marketing,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."BATCH__SMS_MARKETING" is distinct from s."BATCH__SMS_MARKETING" and c."BATCH__SMS_MARKETING" is not null)
        or (
    position(
        ',batch__sms_marketing,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__SMS_MARKETING" is not null)
    ) else ( s."BATCH__SMS_MARKETING" is not null or
    position(
        ',batch__sms_marketing,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',batch__sms_marketing,' else '' end
            || case when
    position(
        ',batch__language,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."BATCH__LANGUAGE" is distinct from s."BATCH__LANGUAGE" and c."BATCH__LANGUAGE" is not null)
        or (
    position(
        ',batch__language,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__LANGUAGE" is not null)
    ) else ( s."BATCH__LANGUAGE" is not null or
    position(
        ',batch__language,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',batch__language,' else '' end
            || case when
    position(
        ',batch__region,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."BATCH__REGION" is distinct from s."BATCH__REGION" and c."BATCH__REGION" is not null)
        or (
    position(
        ',batch__region,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__REGION" is not null)
    ) else ( s."BATCH__REGION" is not null or
    position(
        ',batch__region,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',batch__region,' else '' end
            || case when
    position(
        ',batch__timezone,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."BATCH__TIMEZONE" is distinct from s."BATCH__TIMEZONE" and c."BATCH__TIMEZONE" is not null)
        or (
    position(
        ',batch__timezone,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__TIMEZONE" is not null)
    ) else ( s."BATCH__TIMEZONE" is not null or
    position(
        ',batch__timezone,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',batch__timezone,' else '' end
            || case when
    position(
        ',batch__topic_preferences,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."BATCH__TOPIC_PREFERENCES" is distinct from s."BATCH__TOPIC_PREFERENCES" and c."BATCH__TOPIC_PREFERENCES" is not null)
        or (
    position(
        ',batch__topic_preferences,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BATCH__TOPIC_PREFERENCES" is not null)
    ) else ( s."BATCH__TOPIC_PREFERENCES" is not null or
    position(
        ',batch__topic_preferences,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',batch__topic_preferences,' else '' end
            || case when
    position(
        ',nick,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."NICK" is distinct from s."NICK" and c."NICK" is not null)
        or (
    position(
        ',nick,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."NICK" is not null)
    ) else ( s."NICK" is not null or
    position(
        ',nick,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',nick,' else '' end
            || case when
    position(
        ',points,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."POINTS" is distinct from s."POINTS" and c."POINTS" is not null)
        or (
    position(
        ',points,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."POINTS" is not null)
    ) else ( s."POINTS" is not null or
    position(
        ',points,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',points,' else '' end
            || case when
    position(
        ',huge,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."HUGE" is distinct from s."HUGE" and c."HUGE" is not null)
        or (
    position(
        ',huge,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."HUGE" is not null)
    ) else ( s."HUGE" is not null or
    position(
        ',huge,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',huge,' else '' end
            || case when
    position(
        ',price,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."PRICE" is distinct from s."PRICE" and c."PRICE" is not null)
        or (
    position(
        ',price,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."PRICE" is not null)
    ) else ( s."PRICE" is not null or
    position(
        ',price,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',price,' else '' end
            || case when
    position(
        ',ratio,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."RATIO" is distinct from s."RATIO" and c."RATIO" is not null)
        or (
    position(
        ',ratio,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."RATIO" is not null)
    ) else ( s."RATIO" is not null or
    position(
        ',ratio,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',ratio,' else '' end
            || case when
    position(
        ',vip,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."VIP" is distinct from s."VIP" and c."VIP" is not null)
        or (
    position(
        ',vip,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."VIP" is not null)
    ) else ( s."VIP" is not null or
    position(
        ',vip,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',vip,' else '' end
            || case when
    position(
        ',born,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."BORN" is distinct from s."BORN" and c."BORN" is not null)
        or (
    position(
        ',born,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."BORN" is not null)
    ) else ( s."BORN" is not null or
    position(
        ',born,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',born,' else '' end
            || case when
    position(
        ',last_seen,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."LAST_SEEN" is distinct from s."LAST_SEEN" and c."LAST_SEEN" is not null)
        or (
    position(
        ',last_seen,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."LAST_SEEN" is not null)
    ) else ( s."LAST_SEEN" is not null or
    position(
        ',last_seen,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',last_seen,' else '' end
            || case when
    position(
        ',site,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."SITE" is distinct from s."SITE" and c."SITE" is not null)
        or (
    position(
        ',site,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."SITE" is not null)
    ) else ( s."SITE" is not null or
    position(
        ',site,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',site,' else '' end
            || case when
    position(
        ',tags,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."TAGS" is distinct from s."TAGS" and c."TAGS" is not null)
        or (
    position(
        ',tags,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."TAGS" is not null)
    ) else ( s."TAGS" is not null or
    position(
        ',tags,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',tags,' else '' end
            || case when
    position(
        ',note,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."NOTE" is distinct from s."NOTE" and c."NOTE" is not null)
        or (
    position(
        ',note,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."NOTE" is not null)
    ) else ( s."NOTE" is not null or
    position(
        ',note,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',note,' else '' end
            || case when
    position(
        ',token,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."TOKEN" is distinct from s."TOKEN" and c."TOKEN" is not null)
        or (
    position(
        ',token,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."TOKEN" is not null)
    ) else ( s."TOKEN" is not null or
    position(
        ',token,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',token,' else '' end
            || case when
    position(
        ',as_text,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c."AS_TEXT" is distinct from s."AS_TEXT" and c."AS_TEXT" is not null)
        or (
    position(
        ',as_text,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 and c."AS_TEXT" is not null)
    ) else ( s."AS_TEXT" is not null or
    position(
        ',as_text,' in coalesce(s."_BATCH_DOUBT", '')
    ) > 0 ) end) then ',as_text,' else '' end, '') end as "_BATCH_DOUBT",
        case when c._batch_here = 1 then coalesce(c."BATCH__EMAIL_ADDRESS", s."BATCH__EMAIL_ADDRESS") end as "BATCH__EMAIL_ADDRESS",
        case when c._batch_here = 1 then coalesce(c."BATCH__EMAIL_MARKETING", s."BATCH__EMAIL_MARKETING") end as "BATCH__EMAIL_MARKETING",
        case when c._batch_here = 1 then coalesce(c."BATCH__PHONE_NUMBER", s."BATCH__PHONE_NUMBER") end as "BATCH__PHONE_NUMBER",
        case when c._batch_here = 1 then coalesce(c."BATCH__SMS_MARKETING", s."BATCH__SMS_MARKETING") end as "BATCH__SMS_MARKETING",
        case when c._batch_here = 1 then coalesce(c."BATCH__LANGUAGE", s."BATCH__LANGUAGE") end as "BATCH__LANGUAGE",
        case when c._batch_here = 1 then coalesce(c."BATCH__REGION", s."BATCH__REGION") end as "BATCH__REGION",
        case when c._batch_here = 1 then coalesce(c."BATCH__TIMEZONE", s."BATCH__TIMEZONE") end as "BATCH__TIMEZONE",
        case when c._batch_here = 1 then coalesce(c."BATCH__TOPIC_PREFERENCES", s."BATCH__TOPIC_PREFERENCES") end as "BATCH__TOPIC_PREFERENCES",
        case when c._batch_here = 1 then coalesce(c."NICK", s."NICK") end as "NICK",
        case when c._batch_here = 1 then coalesce(c."POINTS", s."POINTS") end as "POINTS",
        case when c._batch_here = 1 then coalesce(c."HUGE", s."HUGE") end as "HUGE",
        case when c._batch_here = 1 then coalesce(c."PRICE", s."PRICE") end as "PRICE",
        case when c._batch_here = 1 then coalesce(c."RATIO", s."RATIO") end as "RATIO",
        case when c._batch_here = 1 then coalesce(c."VIP", s."VIP") end as "VIP",
        case when c._batch_here = 1 then coalesce(c."BORN", s."BORN") end as "BORN",
        case when c._batch_here = 1 then coalesce(c."LAST_SEEN", s."LAST_SEEN") end as "LAST_SEEN",
        case when c._batch_here = 1 then coalesce(c."SITE", s."SITE") end as "SITE",
        case when c._batch_here = 1 then coalesce(c."TAGS", s."TAGS") end as "TAGS",
        case when c._batch_here = 1 then coalesce(c."NOTE", s."NOTE") end as "NOTE",
        case when c._batch_here = 1 then coalesce(c."TOKEN", s."TOKEN") end as "TOKEN",
        case when c._batch_here = 1 then coalesce(c."AS_TEXT", s."AS_TEXT") end as "AS_TEXT"
    from sync_rows as c
    full join known_rows as s on s."CUSTOM_ID" = c."CUSTOM_ID"
    where
        s._batch_known is null
        or (c._batch_here is null and (s."_BATCH_EXITED_AT" is null or s."_BATCH_DOUBT" is not null))
        or (
            c._batch_here = 1
            and (
                s."_BATCH_EXITED_AT" is not null
                or s."_BATCH_DOUBT" is not null
                or (c."BATCH__EMAIL_ADDRESS" is distinct from s."BATCH__EMAIL_ADDRESS" and c."BATCH__EMAIL_ADDRESS" is not null)
                or (c."BATCH__EMAIL_MARKETING" is distinct from s."BATCH__EMAIL_MARKETING" and c."BATCH__EMAIL_MARKETING" is not null)
                or (c."BATCH__PHONE_NUMBER" is distinct from s."BATCH__PHONE_NUMBER" and c."BATCH__PHONE_NUMBER" is not null)
                or (c."BATCH__SMS_MARKETING" is distinct from s."BATCH__SMS_MARKETING" and c."BATCH__SMS_MARKETING" is not null)
                or (c."BATCH__LANGUAGE" is distinct from s."BATCH__LANGUAGE" and c."BATCH__LANGUAGE" is not null)
                or (c."BATCH__REGION" is distinct from s."BATCH__REGION" and c."BATCH__REGION" is not null)
                or (c."BATCH__TIMEZONE" is distinct from s."BATCH__TIMEZONE" and c."BATCH__TIMEZONE" is not null)
                or (c."BATCH__TOPIC_PREFERENCES" is distinct from s."BATCH__TOPIC_PREFERENCES" and c."BATCH__TOPIC_PREFERENCES" is not null)
                or (c."NICK" is distinct from s."NICK" and c."NICK" is not null)
                or (c."POINTS" is distinct from s."POINTS" and c."POINTS" is not null)
                or (c."HUGE" is distinct from s."HUGE" and c."HUGE" is not null)
                or (c."PRICE" is distinct from s."PRICE" and c."PRICE" is not null)
                or (c."RATIO" is distinct from s."RATIO" and c."RATIO" is not null)
                or (c."VIP" is distinct from s."VIP" and c."VIP" is not null)
                or (c."BORN" is distinct from s."BORN" and c."BORN" is not null)
                or (c."LAST_SEEN" is distinct from s."LAST_SEEN" and c."LAST_SEEN" is not null)
                or (c."SITE" is distinct from s."SITE" and c."SITE" is not null)
                or (c."TAGS" is distinct from s."TAGS" and c."TAGS" is not null)
                or (c."NOTE" is distinct from s."NOTE" and c."NOTE" is not null)
                or (c."TOKEN" is distinct from s."TOKEN" and c."TOKEN" is not null)
                or (c."AS_TEXT" is distinct from s."AS_TEXT" and c."AS_TEXT" is not null)
            )
        )
)
select
    differing."CUSTOM_ID",
    cast(case when _batch_reason is not null then 'invalid' when _batch_here is null then 'exit' when _batch_known is null then 'insert' else 'update' end as VARCHAR) as "_BATCH_CHANGE",
    cast(case when _batch_reason is null then _batch_changed else '' end as VARCHAR) as "_BATCH_CHANGED",
    cast(_batch_reason as VARCHAR) as "_BATCH_REASON",
    cast('<delta_id>' as VARCHAR) as "_BATCH_DELTA_ID",
    cast('207a42d7bc4ba8afa7a098023200c6dd' as VARCHAR) as "_BATCH_MAPPING",
    cast('batch__email_address:string,batch__email_marketing:string,batch__phone_number:string,batch__sms_marketing:string,batch__language:string,batch__region:string,batch__timezone:string,batch__topic_preferences:string_array,nick:string,points:integer,huge:integer,price:float,ratio:float,vip:boolean,born:date,last_seen:date,site:url,tags:string_array,note:string,token:string,as_text:string' as VARCHAR) as "_BATCH_TYPES",
    "_BATCH_DOUBT",
    "BATCH__EMAIL_ADDRESS",
    "BATCH__EMAIL_MARKETING",
    "BATCH__PHONE_NUMBER",
    "BATCH__SMS_MARKETING",
    "BATCH__LANGUAGE",
    "BATCH__REGION",
    "BATCH__TIMEZONE",
    "BATCH__TOPIC_PREFERENCES",
    "NICK",
    "POINTS",
    "HUGE",
    "PRICE",
    "RATIO",
    "VIP",
    "BORN",
    "LAST_SEEN",
    "SITE",
    "TAGS",
    "NOTE",
    "TOKEN",
    "AS_TEXT"
from differing
left join duplicated on duplicated."CUSTOM_ID" = differing."CUSTOM_ID"
where
    duplicated."CUSTOM_ID" is null
    and (
        _batch_known is null
        or _batch_changed <> ''
        or (_batch_here is null and "_BATCH_EXITED_AT" is null)
        or (_batch_here = 1 and "_BATCH_EXITED_AT" is not null)
    )
union all
select
    c."CUSTOM_ID",
    cast('invalid' as VARCHAR) as "_BATCH_CHANGE",
    cast('' as VARCHAR) as "_BATCH_CHANGED",
    cast('duplicate_identifier' as VARCHAR) as "_BATCH_REASON",
    cast('<delta_id>' as VARCHAR) as "_BATCH_DELTA_ID",
    cast('207a42d7bc4ba8afa7a098023200c6dd' as VARCHAR) as "_BATCH_MAPPING",
    cast('batch__email_address:string,batch__email_marketing:string,batch__phone_number:string,batch__sms_marketing:string,batch__language:string,batch__region:string,batch__timezone:string,batch__topic_preferences:string_array,nick:string,points:integer,huge:integer,price:float,ratio:float,vip:boolean,born:date,last_seen:date,site:url,tags:string_array,note:string,token:string,as_text:string' as VARCHAR) as "_BATCH_TYPES",
    cast(null as VARCHAR) as "_BATCH_DOUBT",
    c."BATCH__EMAIL_ADDRESS",
    c."BATCH__EMAIL_MARKETING",
    c."BATCH__PHONE_NUMBER",
    c."BATCH__SMS_MARKETING",
    c."BATCH__LANGUAGE",
    c."BATCH__REGION",
    c."BATCH__TIMEZONE",
    c."BATCH__TOPIC_PREFERENCES",
    c."NICK",
    c."POINTS",
    c."HUGE",
    c."PRICE",
    c."RATIO",
    c."VIP",
    c."BORN",
    c."LAST_SEEN",
    c."SITE",
    c."TAGS",
    c."NOTE",
    c."TOKEN",
    c."AS_TEXT"
from (select
        cast("Client Id" as VARCHAR) as "CUSTOM_ID",
        nullif(cast("email" as VARCHAR), '') as "BATCH__EMAIL_ADDRESS",
        cast("optin" as BOOLEAN) as "BATCH__EMAIL_MARKETING",
        nullif(cast("phone" as VARCHAR), '') as "BATCH__PHONE_NUMBER",
        nullif(cast("sms" as VARCHAR), '') as "BATCH__SMS_MARKETING",
        nullif(cast("lang" as VARCHAR), '') as "BATCH__LANGUAGE",
        nullif(cast("country" as VARCHAR), '') as "BATCH__REGION",
        nullif(cast("zone" as VARCHAR), '') as "BATCH__TIMEZONE",
        nullif(to_json("topics"), '[]') as "BATCH__TOPIC_PREFERENCES",
        nullif(cast("nick" as VARCHAR), '') as "NICK",
        cast("points" as NUMBER(38,0)) as "POINTS",
        cast("huge" as NUMBER(38,0)) as "HUGE",
        cast("price" as NUMBER(18,4)) as "PRICE",
        cast("ratio" as FLOAT) as "RATIO",
        cast("vip" as BOOLEAN) as "VIP",
        cast("born" as DATE) as "BORN",
        cast(convert_timezone('UTC', "seen_at") as TIMESTAMP_NTZ(6)) as "LAST_SEEN",
        nullif(cast("site" as VARCHAR), '') as "SITE",
        nullif(to_json("tags"), '[]') as "TAGS",
        nullif(to_json("note"), '') as "NOTE",
        nullif(cast("token" as VARCHAR), '') as "TOKEN",
        nullif(cast(cast("as_text" as NUMBER(38,0)) as VARCHAR), '') as "AS_TEXT",
        1 as _batch_here
    from (select * from SHOP.ANALYTICS.cleared) as sync) as c
inner join duplicated on duplicated."CUSTOM_ID" = c."CUSTOM_ID"
order by 1

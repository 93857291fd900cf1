with sync_rows as (
    select
        cast(`Client Id` as string) as `custom_id`,
        cast(`email` as string) as `batch__email_address`,
        cast(`optin` as boolean) as `batch__email_marketing`,
        cast(`phone` as string) as `batch__phone_number`,
        cast(`sms` as string) as `batch__sms_marketing`,
        cast(`lang` as string) as `batch__language`,
        cast(`country` as string) as `batch__region`,
        cast(`zone` as string) as `batch__timezone`,
        cast(`topics` as array<string>) as `batch__topic_preferences`,
        nullif(cast(`nick` as string), '') as `nick`,
        cast(`points` as bigint) as `points`,
        cast(`huge` as decimal(38,0)) as `huge`,
        cast(`price` as decimal(18,4)) as `price`,
        cast(`ratio` as double) as `ratio`,
        cast(`vip` as boolean) as `vip`,
        cast(`born` as date) as `born`,
        timestamp_ntz'1970-01-01 00:00:00' + unix_micros(`seen_at`) * interval '0.000001' second as `last_seen`,
        cast(`site` as string) as `site`,
        case when size(cast(`tags` as array<string>)) > 0 then cast(`tags` as array<string>) end as `tags`,
        to_json(`note`) as `note`,
        cast(`token` as string) as `token`,
        cast(cast(`as_text` as bigint) as string) as `as_text`,
        1 as _batch_here
    from (select * from shop.ignored) as sync
),
duplicated as (
    select cast(`Client Id` as string) as `custom_id`
    from (select * from shop.ignored) as sync
    where `Client Id` is not null
    group by 1
    having count(*) > 1
),
known_rows as (
    select sent.*, 1 as _batch_known
    from (select * from shop.ignored_sent_snapshot) as sent
),
differing as (
    select
        coalesce(c.`custom_id`, s.`custom_id`) as `custom_id`,
        c._batch_here,
        s._batch_known,
        s.`_batch_exited_at`,
        case when c._batch_here = 1 then case
        when c.`custom_id` is null then 'null_identifier'
        when trim(translate(c.`custom_id`, chr(9) || chr(10) || chr(11) || chr(12) || chr(13), '     ')) = '' then 'empty_identifier'
        when length(c.`custom_id`) > 511 then 'long_identifier'
        when (
    position(
        chr(10) in c.`custom_id`
    ) > 0 or
    position(
        chr(13) in c.`custom_id`
    ) > 0) then 'line_break_identifier'
        when lower(trim(c.`custom_id`)) in (
            'undefined', 'null', 'nil', '(null)', '[object object]', 'true', 'false', 'nan', 'infinity', '-infinity'
        ) then 'reserved_identifier'
    end end as _batch_reason,
        substr(case when case when c._batch_here = 1 then (
        (c.`batch__email_address` is distinct from s.`batch__email_address`)
        or (
    position(
        ',batch__email_address,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',batch__email_address' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`batch__email_marketing` is distinct from s.`batch__email_marketing`)
        or (
    position(
        ',batch__email_marketing,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',batch__email_marketing' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`batch__phone_number` is distinct from s.`batch__phone_number`)
        or (
    position(
        ',batch__phone_number,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',batch__phone_number' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`batch__sms_marketing` is distinct from s.`batch__sms_marketing`)
        or (
    position(
        ',batch__sms_marketing,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',batch__sms_marketing' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`batch__language` is distinct from s.`batch__language`)
        or (
    position(
        ',batch__language,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',batch__language' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`batch__region` is distinct from s.`batch__region`)
        or (
    position(
        ',batch__region,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',batch__region' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`batch__timezone` is distinct from s.`batch__timezone`)
        or (
    position(
        ',batch__timezone,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',batch__timezone' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`batch__topic_preferences` is distinct from s.`batch__topic_preferences`)
        or (
    position(
        ',batch__topic_preferences,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',batch__topic_preferences' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`nick` is distinct from s.`nick` and c.`nick` is not null)
        or (
    position(
        ',nick,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and c.`nick` is not null)
    ) else ( 1 = 0 ) end then ',nick' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`points` is distinct from s.`points`)
        or (
    position(
        ',points,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',points' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`huge` is distinct from s.`huge`)
        or (
    position(
        ',huge,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',huge' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`price` is distinct from s.`price` and c.`price` is not null)
        or (
    position(
        ',price,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and c.`price` is not null)
    ) else ( 1 = 0 ) end then ',price' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`ratio` is distinct from s.`ratio`)
        or (
    position(
        ',ratio,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',ratio' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`vip` is distinct from s.`vip`)
        or (
    position(
        ',vip,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',vip' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`born` is distinct from s.`born`)
        or (
    position(
        ',born,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',born' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`last_seen` is distinct from s.`last_seen` and c.`last_seen` is not null)
        or (
    position(
        ',last_seen,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and c.`last_seen` is not null)
    ) else ( 1 = 0 ) end then ',last_seen' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`site` is distinct from s.`site`)
        or (
    position(
        ',site,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',site' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`tags` is distinct from s.`tags` and c.`tags` is not null)
        or (
    position(
        ',tags,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and c.`tags` is not null)
    ) else ( 1 = 0 ) end then ',tags' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`note` is distinct from s.`note`)
        or (
    position(
        ',note,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',note' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`token` is distinct from s.`token`)
        or (
    position(
        ',token,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',token' else '' end
            || case when case when c._batch_here = 1 then (
        (c.`as_text` is distinct from s.`as_text`)
        or (
    position(
        ',as_text,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end then ',as_text' else '' end, 2) as _batch_changed,
        case when s.`_batch_doubt` is not null then nullif(case when
    position(
        ',batch__email_address,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`batch__email_address` is distinct from s.`batch__email_address`)
        or (
    position(
        ',batch__email_address,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',batch__email_address,' else '' end
            || case when
    position(
        ',batch__email_marketing,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`batch__email_marketing` is distinct from s.`batch__email_marketing`)
        or (
    position(
        ',batch__email_marketing,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',batch__email_marketing,' else '' end
            || case when
    position(
        ',batch__phone_number,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`batch__phone_number` is distinct from s.`batch__phone_number`)
        or (
    position(
        ',batch__phone_number,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',batch__phone_number,' else '' end
            || case when
    position(
        ',batch__sms_marketing,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`batch__sms_marketing` is distinct from s.`batch__sms_marketing`)
        or (
    position(
        ',batch__sms_marketing,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',batch__sms_marketing,' else '' end
            || case when
    position(
        ',batch__language,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`batch__language` is distinct from s.`batch__language`)
        or (
    position(
        ',batch__language,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',batch__language,' else '' end
            || case when
    position(
        ',batch__region,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`batch__region` is distinct from s.`batch__region`)
        or (
    position(
        ',batch__region,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',batch__region,' else '' end
            || case when
    position(
        ',batch__timezone,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`batch__timezone` is distinct from s.`batch__timezone`)
        or (
    position(
        ',batch__timezone,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',batch__timezone,' else '' end
            || case when
    position(
        ',batch__topic_preferences,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`batch__topic_preferences` is distinct from s.`batch__topic_preferences`)
        or (
    position(
        ',batch__topic_preferences,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',batch__topic_preferences,' else '' end
            || case when
    position(
        ',nick,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`nick` is distinct from s.`nick` and c.`nick` is not null)
        or (
    position(
        ',nick,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and c.`nick` is not null)
    ) else ( 1 = 0 ) end) then ',nick,' else '' end
            || case when
    position(
        ',points,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`points` is distinct from s.`points`)
        or (
    position(
        ',points,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',points,' else '' end
            || case when
    position(
        ',huge,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`huge` is distinct from s.`huge`)
        or (
    position(
        ',huge,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',huge,' else '' end
            || case when
    position(
        ',price,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`price` is distinct from s.`price` and c.`price` is not null)
        or (
    position(
        ',price,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and c.`price` is not null)
    ) else ( 1 = 0 ) end) then ',price,' else '' end
            || case when
    position(
        ',ratio,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`ratio` is distinct from s.`ratio`)
        or (
    position(
        ',ratio,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',ratio,' else '' end
            || case when
    position(
        ',vip,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`vip` is distinct from s.`vip`)
        or (
    position(
        ',vip,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',vip,' else '' end
            || case when
    position(
        ',born,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`born` is distinct from s.`born`)
        or (
    position(
        ',born,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',born,' else '' end
            || case when
    position(
        ',last_seen,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`last_seen` is distinct from s.`last_seen` and c.`last_seen` is not null)
        or (
    position(
        ',last_seen,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and c.`last_seen` is not null)
    ) else ( 1 = 0 ) end) then ',last_seen,' else '' end
            || case when
    position(
        ',site,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`site` is distinct from s.`site`)
        or (
    position(
        ',site,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',site,' else '' end
            || case when
    position(
        ',tags,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`tags` is distinct from s.`tags` and c.`tags` is not null)
        or (
    position(
        ',tags,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and c.`tags` is not null)
    ) else ( 1 = 0 ) end) then ',tags,' else '' end
            || case when
    position(
        ',note,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`note` is distinct from s.`note`)
        or (
    position(
        ',note,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',note,' else '' end
            || case when
    position(
        ',token,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`token` is distinct from s.`token`)
        or (
    position(
        ',token,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',token,' else '' end
            || case when
    position(
        ',as_text,' in coalesce(s.`_batch_doubt`, '')
    ) > 0 and not (case when c._batch_here = 1 then (
        (c.`as_text` is distinct from s.`as_text`)
        or (
    position(
        ',as_text,' in coalesce(s.`_batch_doubt`, '')
    ) > 0)
    ) else ( 1 = 0 ) end) then ',as_text,' else '' end, '') end as `_batch_doubt`,
        case when c._batch_here = 1 then c.`batch__email_address` else s.`batch__email_address` end as `batch__email_address`,
        case when c._batch_here = 1 then c.`batch__email_marketing` else s.`batch__email_marketing` end as `batch__email_marketing`,
        case when c._batch_here = 1 then c.`batch__phone_number` else s.`batch__phone_number` end as `batch__phone_number`,
        case when c._batch_here = 1 then c.`batch__sms_marketing` else s.`batch__sms_marketing` end as `batch__sms_marketing`,
        case when c._batch_here = 1 then c.`batch__language` else s.`batch__language` end as `batch__language`,
        case when c._batch_here = 1 then c.`batch__region` else s.`batch__region` end as `batch__region`,
        case when c._batch_here = 1 then c.`batch__timezone` else s.`batch__timezone` end as `batch__timezone`,
        case when c._batch_here = 1 then c.`batch__topic_preferences` else s.`batch__topic_preferences` end as `batch__topic_preferences`,
        case when c._batch_here = 1 then coalesce(c.`nick`, s.`nick`) else s.`nick` end as `nick`,
        case when c._batch_here = 1 then c.`points` else s.`points` end as `points`,
        case when c._batch_here = 1 then c.`huge` else s.`huge` end as `huge`,
        case when c._batch_here = 1 then coalesce(c.`price`, s.`price`) else s.`price` end as `price`,
        case when c._batch_here = 1 then c.`ratio` else s.`ratio` end as `ratio`,
        case when c._batch_here = 1 then c.`vip` else s.`vip` end as `vip`,
        case when c._batch_here = 1 then c.`born` else s.`born` end as `born`,
        case when c._batch_here = 1 then coalesce(c.`last_seen`, s.`last_seen`) else s.`last_seen` end as `last_seen`,
        case when c._batch_here = 1 then c.`site` else s.`site` end as `site`,
        case when c._batch_here = 1 then coalesce(c.`tags`, s.`tags`) else s.`tags` end as `tags`,
        case when c._batch_here = 1 then c.`note` else s.`note` end as `note`,
        case when c._batch_here = 1 then c.`token` else s.`token` end as `token`,
        case when c._batch_here = 1 then c.`as_text` else s.`as_text` end as `as_text`
    from sync_rows as c
    full join known_rows as s on s.`custom_id` = c.`custom_id`
    where
        s._batch_known is null
        or (c._batch_here is null and (s.`_batch_exited_at` is null or s.`_batch_doubt` is not null))
        or (
            c._batch_here = 1
            and (
                s.`_batch_exited_at` is not null
                or s.`_batch_doubt` is not null
                or (c.`batch__email_address` is distinct from s.`batch__email_address`)
                or (c.`batch__email_marketing` is distinct from s.`batch__email_marketing`)
                or (c.`batch__phone_number` is distinct from s.`batch__phone_number`)
                or (c.`batch__sms_marketing` is distinct from s.`batch__sms_marketing`)
                or (c.`batch__language` is distinct from s.`batch__language`)
                or (c.`batch__region` is distinct from s.`batch__region`)
                or (c.`batch__timezone` is distinct from s.`batch__timezone`)
                or (c.`batch__topic_preferences` is distinct from s.`batch__topic_preferences`)
                or (c.`nick` is distinct from s.`nick` and c.`nick` is not null)
                or (c.`points` is distinct from s.`points`)
                or (c.`huge` is distinct from s.`huge`)
                or (c.`price` is distinct from s.`price` and c.`price` is not null)
                or (c.`ratio` is distinct from s.`ratio`)
                or (c.`vip` is distinct from s.`vip`)
                or (c.`born` is distinct from s.`born`)
                or (c.`last_seen` is distinct from s.`last_seen` and c.`last_seen` is not null)
                or (c.`site` is distinct from s.`site`)
                or (c.`tags` is distinct from s.`tags` and c.`tags` is not null)
                or (c.`note` is distinct from s.`note`)
                or (c.`token` is distinct from s.`token`)
                or (c.`as_text` is distinct from s.`as_text`)
            )
        )
)
select
    differing.`custom_id`,
    cast(case when _batch_reason is not null then 'invalid' when _batch_here is null then 'exit' when _batch_known is null then 'insert' else 'update' end as string) as `_batch_change`,
    cast(case when _batch_reason is null then _batch_changed else '' end as string) as `_batch_changed`,
    cast(_batch_reason as string) as `_batch_reason`,
    cast('<delta_id>' as string) as `_batch_delta_id`,
    cast('85416b667c4cb1973ea1818670e6f047' as string) as `_batch_mapping`,
    cast('batch__email_address:string,batch__email_marketing:string,batch__phone_number:string,batch__sms_marketing:string,batch__language:string,batch__region:string,batch__timezone:string,batch__topic_preferences:string_array,nick:string,points:integer,huge:integer,price:float,ratio:float,vip:boolean,born:date,last_seen:date,site:url,tags:string_array,note:string,token:string,as_text:string' as string) as `_batch_types`,
    `_batch_doubt`,
    `batch__email_address`,
    `batch__email_marketing`,
    `batch__phone_number`,
    `batch__sms_marketing`,
    `batch__language`,
    `batch__region`,
    `batch__timezone`,
    `batch__topic_preferences`,
    `nick`,
    `points`,
    `huge`,
    `price`,
    `ratio`,
    `vip`,
    `born`,
    `last_seen`,
    `site`,
    `tags`,
    `note`,
    `token`,
    `as_text`
from differing
left join duplicated on duplicated.`custom_id` = differing.`custom_id`
where
    duplicated.`custom_id` is null
    and (
        _batch_known is null
        or _batch_changed <> ''
        or (_batch_here is null and `_batch_exited_at` is null)
        or (_batch_here = 1 and `_batch_exited_at` is not null)
    )
union all
select
    c.`custom_id`,
    cast('invalid' as string) as `_batch_change`,
    cast('' as string) as `_batch_changed`,
    cast('duplicate_identifier' as string) as `_batch_reason`,
    cast('<delta_id>' as string) as `_batch_delta_id`,
    cast('85416b667c4cb1973ea1818670e6f047' as string) as `_batch_mapping`,
    cast('batch__email_address:string,batch__email_marketing:string,batch__phone_number:string,batch__sms_marketing:string,batch__language:string,batch__region:string,batch__timezone:string,batch__topic_preferences:string_array,nick:string,points:integer,huge:integer,price:float,ratio:float,vip:boolean,born:date,last_seen:date,site:url,tags:string_array,note:string,token:string,as_text:string' as string) as `_batch_types`,
    cast(null as string) as `_batch_doubt`,
    c.`batch__email_address`,
    c.`batch__email_marketing`,
    c.`batch__phone_number`,
    c.`batch__sms_marketing`,
    c.`batch__language`,
    c.`batch__region`,
    c.`batch__timezone`,
    c.`batch__topic_preferences`,
    c.`nick`,
    c.`points`,
    c.`huge`,
    c.`price`,
    c.`ratio`,
    c.`vip`,
    c.`born`,
    c.`last_seen`,
    c.`site`,
    c.`tags`,
    c.`note`,
    c.`token`,
    c.`as_text`
from (select
        cast(`Client Id` as string) as `custom_id`,
        cast(`email` as string) as `batch__email_address`,
        cast(`optin` as boolean) as `batch__email_marketing`,
        cast(`phone` as string) as `batch__phone_number`,
        cast(`sms` as string) as `batch__sms_marketing`,
        cast(`lang` as string) as `batch__language`,
        cast(`country` as string) as `batch__region`,
        cast(`zone` as string) as `batch__timezone`,
        cast(`topics` as array<string>) as `batch__topic_preferences`,
        nullif(cast(`nick` as string), '') as `nick`,
        cast(`points` as bigint) as `points`,
        cast(`huge` as decimal(38,0)) as `huge`,
        cast(`price` as decimal(18,4)) as `price`,
        cast(`ratio` as double) as `ratio`,
        cast(`vip` as boolean) as `vip`,
        cast(`born` as date) as `born`,
        timestamp_ntz'1970-01-01 00:00:00' + unix_micros(`seen_at`) * interval '0.000001' second as `last_seen`,
        cast(`site` as string) as `site`,
        case when size(cast(`tags` as array<string>)) > 0 then cast(`tags` as array<string>) end as `tags`,
        to_json(`note`) as `note`,
        cast(`token` as string) as `token`,
        cast(cast(`as_text` as bigint) as string) as `as_text`,
        1 as _batch_here
    from (select * from shop.ignored) as sync) as c
inner join duplicated on duplicated.`custom_id` = c.`custom_id`
order by 1

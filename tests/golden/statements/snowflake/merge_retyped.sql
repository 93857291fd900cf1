merge into shop.marts.people_sent_snapshot as s
        using (select
        d.*,
        case when (d."_BATCH_PAGE" <= 4) and r.row_id is null then 1 else 0 end as _batch_settled
    from (select * from shop.marts.people_delta) as d
    left join (
        select key as row_id, max(case run_id when cast('run-1' as VARCHAR) then 4 else -1 end) as reached
        from shop.marts.BATCH_SYNC_REJECTS
        where sync = 'people' and delta_id = '00000000-0000-4000-8000-000000000001' and attribute is null
        group by key
    ) as r on r.row_id = d."CUSTOM_ID" and d."_BATCH_PAGE" <= r.reached
    where d."_BATCH_CHANGE" <> 'invalid'
        and (
            ((d."_BATCH_PAGE" <= 4) and r.row_id is null)
        )) as d
        on s."CUSTOM_ID" = d."CUSTOM_ID"
        when matched and d._batch_settled = 1 then update set
            "BATCH__EMAIL_MARKETING" = d."BATCH__EMAIL_MARKETING",
            "NICK" = d."NICK",
            "TAGS" = d."TAGS",
            "_BATCH_SENT_AT" = cast('2024-05-05 01:02:03' as TIMESTAMP_NTZ(6)),
            "_BATCH_RUN_ID" = cast('run-1' as VARCHAR),
            "_BATCH_DELTA_ID" = cast('00000000-0000-4000-8000-000000000001' as VARCHAR),
            "_BATCH_EXITED_AT" = case when d."_BATCH_CHANGE" = 'exit' then coalesce(s."_BATCH_EXITED_AT", cast('2024-05-05 01:02:03' as TIMESTAMP_NTZ(6))) end,
            "_BATCH_DOUBT" = cast(nullif(case when
-- as on DuckDB (27 lines)
            "_BATCH_OPTED_OUT" = cast(nullif(case when
-- as on DuckDB (4 lines)
        when not matched and d._batch_settled = 1 then insert ("CUSTOM_ID", "BATCH__EMAIL_MARKETING", "NICK", "TAGS", "_BATCH_SENT_AT", "_BATCH_RUN_ID", "_BATCH_DELTA_ID", "_BATCH_EXITED_AT", "_BATCH_DOUBT", "_BATCH_OPTED_OUT") values (d."CUSTOM_ID", d."BATCH__EMAIL_MARKETING", d."NICK", d."TAGS", cast('2024-05-05 01:02:03' as TIMESTAMP_NTZ(6)), cast('run-1' as VARCHAR), cast('00000000-0000-4000-8000-000000000001' as VARCHAR), case when d."_BATCH_CHANGE" = 'exit' then coalesce(null, cast('2024-05-05 01:02:03' as TIMESTAMP_NTZ(6))) end, cast(nullif(case when
    position(
        ',batch__email_marketing,' in coalesce((case when null is not null then case when
    position(',batch__email_marketing,' in coalesce(null, '')) > 0 and not
    position(',batch__email_marketing,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(null, '')) > 0 and not
    position(',nick,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(null, '')) > 0 and not
    position(',tags,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',tags,' else '' end else '' end || case when d."NICK" is not null then ',nick,' else '' end), '')
    ) > 0 then ',batch__email_marketing,' else '' end || case when
    position(
        ',nick,' in coalesce((case when null is not null then case when
    position(',batch__email_marketing,' in coalesce(null, '')) > 0 and not
    position(',batch__email_marketing,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(null, '')) > 0 and not
    position(',nick,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(null, '')) > 0 and not
    position(',tags,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',tags,' else '' end else '' end || case when d."NICK" is not null then ',nick,' else '' end), '')
    ) > 0 then ',nick,' else '' end || case when
    position(
        ',tags,' in coalesce((case when null is not null then case when
    position(',batch__email_marketing,' in coalesce(null, '')) > 0 and not
    position(',batch__email_marketing,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',batch__email_marketing,' else '' end || case when
    position(',nick,' in coalesce(null, '')) > 0 and not
    position(',nick,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',nick,' else '' end || case when
    position(',tags,' in coalesce(null, '')) > 0 and not
    position(',tags,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 then ',tags,' else '' end else '' end || case when d."NICK" is not null then ',nick,' else '' end), '')
    ) > 0 then ',tags,' else '' end, '') as VARCHAR), cast(nullif(case when
    position(',batch__email_marketing,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 and d."BATCH__EMAIL_MARKETING" = false then ',batch__email_marketing,' when
    position(',batch__email_marketing,' in coalesce(',' || d."_BATCH_CHANGED" || ',', '')) > 0 and d."BATCH__EMAIL_MARKETING" = true then '' when
    position(',batch__email_marketing,' in coalesce(null, '')) > 0 then ',batch__email_marketing,' else '' end || case  when
    position(',batch__sms_marketing,' in coalesce(null, '')) > 0 then ',batch__sms_marketing,' else '' end, '') as VARCHAR));
-- as on DuckDB (4 lines)

select 1 from "shop"."marts"."batch_sync_rejects" where sync = 'people' and attribute is null and resolved_at is null limit 1;
merge into "shop"."marts"."batch_sync_rejects" as o
    using (
            select distinct r.key as row_id, '' as attribute, r.delta_id, cast(null as VARCHAR) as row_hash, 1 as is_over
            from (select * from "shop"."marts"."batch_sync_rejects" where sync = 'people' and attribute is null and resolved_at is null) as r
            left join "shop"."marts"."people_delta" as d on d."custom_id" = r.key
            where d."custom_id" is null
        ) as n
    on o.key = n.row_id and coalesce(o.attribute, '') = n.attribute and o.delta_id = n.delta_id and o.sync = 'people' and o.attribute is null and o.resolved_at is null
    when matched then update set
        sent_hash = coalesce(n.row_hash, o.sent_hash),
        resolved_at = case when n.is_over = 1 then cast(now() at time zone 'UTC' as timestamp) end;
select "_batch_change", case when "_batch_reason" in ('parked', 'unsure') then "_batch_reason" end as reason,
                count(*) as delta_rows, max("_batch_page") as last_page
            from "shop"."marts"."people_delta" group by 1, 2;
select count(*) as known, count("_batch_exited_at") as gone from "shop"."marts"."people_sent_snapshot";
select d."_batch_change", count(*) as changes from "shop"."marts"."people_delta" as d inner join "shop"."marts"."people_sent_snapshot" as s on s."custom_id" = d."custom_id" where s."_batch_exited_at" is not null group by d."_batch_change";
select count(*) from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'built' and recorded_at > (select max(recorded_at) from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'building' and delta_id = '00000000-0000-4000-8000-000000000002');
select answered, request as scope from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'merged' and (delta_id = '00000000-0000-4000-8000-000000000002' or recorded_at > (select max(recorded_at) from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'built'));
select delta_id, attribute_types, former_types, recorded_at, inserts + updates + exits + invalid + parked as built_rows from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'built' order by recorded_at desc limit 1;
insert into "shop"."marts"."batch_sync_journal" (recorded_at, sync, event, delta_id, target, mapping_hash, attribute_types, former_types, mode, version, model_rows, known_rows, inserts, updates, exits, invalid, parked, unsure, retention_days, page, answered, request)
    select cast(now() at time zone 'UTC' as timestamp), cast('people' as VARCHAR), cast('built' as VARCHAR), cast('00000000-0000-4000-8000-000000000002' as VARCHAR), cast('prod' as VARCHAR), cast('fa8e8d5c11cfef9e6c0ef3bd69f1e86c' as VARCHAR), cast('batch__email_marketing:string,nick:string,tags:string_array' as VARCHAR), cast('' as VARCHAR), cast(null as VARCHAR), cast('0.1.0' as VARCHAR), cast(92 as bigint), cast(86 as bigint), cast(3 as bigint), cast(5 as bigint), cast(0 as bigint), cast(0 as bigint), cast(1 as bigint), cast(0 as bigint), cast(null as bigint), cast(2 as bigint), cast('request-1' as VARCHAR), cast('all' as VARCHAR);

select count(*) as known from "shop"."marts"."people_sent_snapshot";
select request as scope, recorded_at from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'built' order by recorded_at desc limit 1;
select 1 from "shop"."marts"."batch_sync_journal" where sync = 'people' and (event in ('intent', 'checkpoint') or (event = 'ended' and (status in ('succeeded', 'partial') or settled > 0))) and recorded_at > cast('2024-05-05 01:02:03' as timestamp) limit 1;
select sum(unsure) as unsure from (
            select max(unsure) as unsure
            from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'checkpoint' and unsure > 0 and (recorded_at > (select max(recorded_at) from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'ended') or (select max(recorded_at) from "shop"."marts"."batch_sync_journal" where sync = 'people' and event = 'ended') is null)
            group by run_id, delta_id
        ) as runs;
insert into "shop"."marts"."batch_sync_journal" (recorded_at, sync, event, delta_id, target, mapping_hash, attribute_types, former_types, mode, version, model_rows, known_rows, inserts, updates, exits, invalid, parked, unsure, retention_days, page, answered, request)
    select cast(now() at time zone 'UTC' as timestamp), cast('people' as VARCHAR), cast('built' as VARCHAR), cast('00000000-0000-4000-8000-000000000002' as VARCHAR), cast('prod' as VARCHAR), cast('3aa32a6503b36d28b8c3136774eed34c' as VARCHAR), cast('custom_id:string,batch__name:string,batch__time:date,batch__label:string,amount:float,items:object' as VARCHAR), cast('batch__email_marketing:string,nick:string,tags:string_array' as VARCHAR), cast(null as VARCHAR), cast('0.1.0' as VARCHAR), cast(95 as bigint), cast(90 as bigint), cast(3 as bigint), cast(0 as bigint), cast(0 as bigint), cast(2 as bigint), cast(0 as bigint), cast(6 as bigint), cast(7 as bigint), cast(2 as bigint), cast('' as VARCHAR), cast(null as VARCHAR);

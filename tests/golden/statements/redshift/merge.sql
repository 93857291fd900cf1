-- as on DuckDB (78 lines)
update "shop"."marts"."batch_sync_rejects"
    set sent_hash = coalesce(n.row_hash, sent_hash), resolved_at = case when n.is_over = 1 then cast(getdate() as timestamp) end
    from (
-- as on DuckDB (4 lines)
                case when (r.delta_id = '00000000-0000-4000-8000-000000000001' and d."_batch_page" <= r.reached) then md5(coalesce(cast(length(cast(case when d."batch__email_marketing" then 'true' when not d."batch__email_marketing" then 'false' end as varchar(65535))) as varchar(4096)) || ':' || cast(case when d."batch__email_marketing" then 'true' when not d."batch__email_marketing" then 'false' end as varchar(65535)), '-') || coalesce(cast(length(cast(d."nick" as varchar(65535))) as varchar(4096)) || ':' || cast(d."nick" as varchar(65535)), '-') || coalesce(cast(length(cast(d."tags" as varchar(65535))) as varchar(4096)) || ':' || cast(d."tags" as varchar(65535)), '-')) end as row_hash,
-- as on DuckDB (16 lines)
    where key = n.row_id and coalesce("shop"."marts"."batch_sync_rejects".attribute, '') = n.attribute and "shop"."marts"."batch_sync_rejects".delta_id = n.delta_id and sync = 'people' and resolved_at is null;
-- as on DuckDB (13 lines)

-- as on DuckDB (1 lines)
update "shop"."marts"."batch_sync_rejects"
    set sent_hash = coalesce(n.row_hash, sent_hash), resolved_at = case when n.is_over = 1 then cast(getdate() as timestamp) end
    from (
-- as on DuckDB (5 lines)
    where key = n.row_id and coalesce("shop"."marts"."batch_sync_rejects".attribute, '') = n.attribute and "shop"."marts"."batch_sync_rejects".delta_id = n.delta_id and sync = 'people' and "shop"."marts"."batch_sync_rejects".attribute is null and resolved_at is null;
-- as on DuckDB (10 lines)

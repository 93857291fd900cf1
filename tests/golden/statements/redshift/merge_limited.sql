-- as on DuckDB (24 lines)
        case when (d."_batch_page" <= 4 or (d."_batch_page" = 5 and d."custom_id" <= 'o''hara\\7')) and r.row_id is null then 1 else 0 end as _batch_settled
-- as on DuckDB (9 lines)
            ((d."_batch_page" <= 4 or (d."_batch_page" = 5 and d."custom_id" <= 'o''hara\\7')) and r.row_id is null)
-- as on DuckDB (7 lines)
        case when (d."_batch_page" <= 4 or (d."_batch_page" = 5 and d."custom_id" <= 'o''hara\\7')) and r.row_id is null then 1 else 0 end as _batch_settled
-- as on DuckDB (9 lines)
            ((d."_batch_page" <= 4 or (d."_batch_page" = 5 and d."custom_id" <= 'o''hara\\7')) and r.row_id is null)
-- as on DuckDB (1 lines)

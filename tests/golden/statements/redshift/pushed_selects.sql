-- as on DuckDB (45 lines)
    GETDATE() AS now_at
-- as on DuckDB (87 lines)
      ROW_NUMBER() OVER (
        PARTITION BY j.sync, j.event, j.run_id, j.delta_id
        ORDER BY j.recorded_at DESC NULLS LAST
      ) AS nth
-- as on DuckDB (58 lines)
  "_batch_delta_id" = %(delta_id)s AND "_batch_page" > %(page)s
-- as on DuckDB (10 lines)
  "_batch_page" BETWEEN %(first)s AND %(last)s
  AND "_batch_delta_id" = %(delta_id)s
  AND "_batch_page" > %(page)s
-- as on DuckDB (16 lines)
  "_batch_page" BETWEEN %(first)s AND %(last)s
  AND "_batch_delta_id" = %(delta_id)s
  AND "_batch_page" > %(page)s
-- as on DuckDB (1 lines)
    "_batch_page" > 5 OR "custom_id" > %(key)s
-- as on DuckDB (16 lines)
  SUM(
    CASE WHEN POSITION(',nick,' IN ',' || "_batch_changed" || ',') > 0 THEN 1 ELSE 0 END
  ) AS "sends_0",
  SUM(
    CASE WHEN POSITION(',tags,' IN ',' || "_batch_changed" || ',') > 0 THEN 1 ELSE 0 END
  ) AS "sends_1"
-- as on DuckDB (2 lines)
  "_batch_delta_id" = %(delta_id)s
-- as on DuckDB (3 lines)
      "_batch_page" > %(page)s AND (
        "_batch_page" > 5 OR "custom_id" > %(key)s
-- as on DuckDB (9 lines)
      WHEN POSITION(',nick,' IN ',' || d."_batch_changed" || ',') > 0
-- as on DuckDB (8 lines)
      WHEN POSITION(',tags,' IN ',' || d."_batch_changed" || ',') > 0
-- as on DuckDB (11 lines)
    d."_batch_change" = 'update' AND s."_batch_delta_id" = %(last)s
-- as on DuckDB (1 lines)
  AND d."_batch_delta_id" = %(delta_id)s
  AND d."_batch_page" > %(page)s
-- as on DuckDB (1 lines)
    d."_batch_page" > 5 OR d."custom_id" > %(key)s
-- as on DuckDB (16 lines)
    AND "_batch_delta_id" = %(delta_id)s
    AND "_batch_page" > %(page)s
-- as on DuckDB (1 lines)
      "_batch_page" > 5 OR "custom_id" > %(key)s
-- as on DuckDB (21 lines)
  "custom_id" = %(key)s
-- as on DuckDB (5 lines)
  sync = %(sync)s
  AND delta_id = %(delta_id)s
-- as on DuckDB (4 lines)
        page >= %(page)s OR (
          page = %(page_before)s AND key >= %(key)s
-- as on DuckDB (4 lines)
      event = 'intent' AND page >= %(page)s
-- as on DuckDB (2 lines)
      event = 'doubt' AND key = %(key)s
-- as on DuckDB (2 lines)

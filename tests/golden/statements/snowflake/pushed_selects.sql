-- as on DuckDB (45 lines)
    CURRENT_TIMESTAMP() AS now_at
-- as on DuckDB (87 lines)
      ROW_NUMBER() OVER (
        PARTITION BY j.sync, j.event, j.run_id, j.delta_id
        ORDER BY j.recorded_at DESC NULLS LAST
      ) AS nth
-- as on DuckDB (58 lines)
  "_BATCH_DELTA_ID" = :delta_id AND "_BATCH_PAGE" > :page
-- as on DuckDB (10 lines)
  "_BATCH_PAGE" BETWEEN :first AND :last
  AND "_BATCH_DELTA_ID" = :delta_id
  AND "_BATCH_PAGE" > :page
-- as on DuckDB (16 lines)
  "_BATCH_PAGE" BETWEEN :first AND :last
  AND "_BATCH_DELTA_ID" = :delta_id
  AND "_BATCH_PAGE" > :page
-- as on DuckDB (1 lines)
    "_BATCH_PAGE" > 5 OR "CUSTOM_ID" > :key
-- as on DuckDB (16 lines)
  SUM(
    CASE WHEN CHARINDEX(',nick,', ',' || "_BATCH_CHANGED" || ',') > 0 THEN 1 ELSE 0 END
  ) AS "sends_0",
  SUM(
    CASE WHEN CHARINDEX(',tags,', ',' || "_BATCH_CHANGED" || ',') > 0 THEN 1 ELSE 0 END
  ) AS "sends_1"
-- as on DuckDB (2 lines)
  "_BATCH_DELTA_ID" = :delta_id
-- as on DuckDB (3 lines)
      "_BATCH_PAGE" > :page AND (
        "_BATCH_PAGE" > 5 OR "CUSTOM_ID" > :key
-- as on DuckDB (9 lines)
      WHEN CHARINDEX(',nick,', ',' || d."_BATCH_CHANGED" || ',') > 0
-- as on DuckDB (1 lines)
      AND NOT CHARINDEX(',nick,', COALESCE(s."_BATCH_DOUBT", '')) > 0
-- as on DuckDB (6 lines)
      WHEN CHARINDEX(',tags,', ',' || d."_BATCH_CHANGED" || ',') > 0
-- as on DuckDB (1 lines)
      AND NOT CHARINDEX(',tags,', COALESCE(s."_BATCH_DOUBT", '')) > 0
-- as on DuckDB (9 lines)
    d."_BATCH_CHANGE" = 'update' AND s."_BATCH_DELTA_ID" = :last
-- as on DuckDB (1 lines)
  AND d."_BATCH_DELTA_ID" = :delta_id
  AND d."_BATCH_PAGE" > :page
-- as on DuckDB (1 lines)
    d."_BATCH_PAGE" > 5 OR d."CUSTOM_ID" > :key
-- as on DuckDB (16 lines)
    AND "_BATCH_DELTA_ID" = :delta_id
    AND "_BATCH_PAGE" > :page
-- as on DuckDB (1 lines)
      "_BATCH_PAGE" > 5 OR "CUSTOM_ID" > :key
-- as on DuckDB (21 lines)
  "CUSTOM_ID" = :key
-- as on DuckDB (5 lines)
  sync = :sync
  AND delta_id = :delta_id
-- as on DuckDB (4 lines)
        page >= :page OR (
          page = :page_before AND key >= :key
-- as on DuckDB (4 lines)
      event = 'intent' AND page >= :page
-- as on DuckDB (2 lines)
      event = 'doubt' AND key = :key
-- as on DuckDB (2 lines)

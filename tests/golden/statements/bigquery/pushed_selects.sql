-- as on DuckDB (45 lines)
    CURRENT_TIMESTAMP() AS now_at
-- as on DuckDB (138 lines)
        `_batch_changed` <> '' OR `_batch_reason` <> ''
-- as on DuckDB (7 lines)
  `_batch_delta_id` = @delta_id AND `_batch_page` > @page
-- as on DuckDB (10 lines)
  `_batch_page` BETWEEN @first AND @last
  AND `_batch_delta_id` = @delta_id
  AND `_batch_page` > @page
-- as on DuckDB (3 lines)
      `_batch_changed` <> '' OR `_batch_reason` <> ''
-- as on DuckDB (12 lines)
  `_batch_page` BETWEEN @first AND @last
  AND `_batch_delta_id` = @delta_id
  AND `_batch_page` > @page
-- as on DuckDB (1 lines)
    `_batch_page` > 5 OR `custom_id` > @key
-- as on DuckDB (4 lines)
      `_batch_changed` <> '' OR `_batch_reason` <> ''
-- as on DuckDB (11 lines)
  SUM(CASE WHEN INSTR(',' || `_batch_changed` || ',', ',nick,') > 0 THEN 1 ELSE 0 END) AS `sends_0`,
  SUM(CASE WHEN INSTR(',' || `_batch_changed` || ',', ',tags,') > 0 THEN 1 ELSE 0 END) AS `sends_1`
-- as on DuckDB (2 lines)
  `_batch_delta_id` = @delta_id
-- as on DuckDB (3 lines)
      `_batch_page` > @page AND (
        `_batch_page` > 5 OR `custom_id` > @key
-- as on DuckDB (9 lines)
      WHEN INSTR(',' || d.`_batch_changed` || ',', ',nick,') > 0
-- as on DuckDB (1 lines)
      AND NOT INSTR(COALESCE(s.`_batch_doubt`, ''), ',nick,') > 0
-- as on DuckDB (6 lines)
      WHEN INSTR(',' || d.`_batch_changed` || ',', ',tags,') > 0
-- as on DuckDB (1 lines)
      AND NOT INSTR(COALESCE(s.`_batch_doubt`, ''), ',tags,') > 0
-- as on DuckDB (9 lines)
    d.`_batch_change` = 'update' AND s.`_batch_delta_id` = @last
-- as on DuckDB (1 lines)
  AND d.`_batch_delta_id` = @delta_id
  AND d.`_batch_page` > @page
-- as on DuckDB (1 lines)
    d.`_batch_page` > 5 OR d.`custom_id` > @key
-- as on DuckDB (16 lines)
    AND `_batch_delta_id` = @delta_id
    AND `_batch_page` > @page
-- as on DuckDB (1 lines)
      `_batch_page` > 5 OR `custom_id` > @key
-- as on DuckDB (21 lines)
  `custom_id` = @key
-- as on DuckDB (5 lines)
  sync = @sync
  AND delta_id = @delta_id
-- as on DuckDB (4 lines)
        page >= @page OR (
          page = @page_before AND key >= @key
-- as on DuckDB (4 lines)
      event = 'intent' AND page >= @page
-- as on DuckDB (2 lines)
      event = 'doubt' AND key = @key
-- as on DuckDB (2 lines)

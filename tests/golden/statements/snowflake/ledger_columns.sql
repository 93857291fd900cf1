alter table shop.marts.BATCH_SYNC_JOURNAL add column "HOST" character varying(16777216), "SECONDS" FLOAT;
-- as on DuckDB (52 lines)

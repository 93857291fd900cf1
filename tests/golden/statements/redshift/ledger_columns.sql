alter table "shop"."marts"."batch_sync_journal" add column "host" varchar(4096);
alter table "shop"."marts"."batch_sync_journal" add column "seconds" double precision;
-- as on DuckDB (52 lines)

select pg_advisory_xact_lock(5512347193);
alter table "shop"."marts"."batch_sync_journal"
               add column "host" text collate "C",
               add column "seconds" double precision;
-- as on DuckDB (52 lines)

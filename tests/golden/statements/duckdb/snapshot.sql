select tags['storage_version'] from duckdb_databases() where type = 'duckdb' and database_name = 'shop';
describe select
                cast(null as VARCHAR) collate posix as "custom_id",
                cast(null as BOOLEAN) as "batch__email_marketing",
                cast(null as VARCHAR) as "nick",
                cast(null as VARCHAR[]) as "tags",
                cast(null as timestamp) as "_batch_sent_at",
                cast(null as VARCHAR) as "_batch_run_id",
                cast(null as VARCHAR) as "_batch_delta_id",
                cast(null as timestamp) as "_batch_exited_at",
                cast(null as VARCHAR) as "_batch_doubt",
                cast(null as VARCHAR) as "_batch_opted_out" limit 0;
create table "shop"."marts"."people_sent_snapshot" ("custom_id" VARCHAR collate posix using compression zstd, "batch__email_marketing" BOOLEAN, "nick" VARCHAR, "tags" VARCHAR[], "_batch_sent_at" timestamp, "_batch_run_id" VARCHAR, "_batch_delta_id" VARCHAR, "_batch_exited_at" timestamp, "_batch_doubt" VARCHAR, "_batch_opted_out" VARCHAR);

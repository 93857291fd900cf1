alter table "shop"."marts"."people_sent_snapshot"
               add column "nick" text,
               add column "tags" text[];

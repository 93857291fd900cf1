alter table "shop"."marts"."people_sent_snapshot" add column "nick" varchar(65535);
alter table "shop"."marts"."people_sent_snapshot" add column "tags" varchar(65535);

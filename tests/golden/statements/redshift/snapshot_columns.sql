alter table "shop"."marts"."people_sent_snapshot" add column "nick" varchar(256);
alter table "shop"."marts"."people_sent_snapshot" add column "tags" varchar(65535);

alter table "shop"."marts"."people_sent_snapshot" add column
           "nick" character varying(256);
alter table "shop"."marts"."people_sent_snapshot" add column
           "tags" VARCHAR[];

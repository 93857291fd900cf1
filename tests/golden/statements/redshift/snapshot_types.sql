-- as on DuckDB (5 lines)
alter table "shop"."marts"."people_sent_snapshot" add column "_batch_retyped" numeric(18,4);
update "shop"."marts"."people_sent_snapshot" set "_batch_retyped" = cast(null as numeric(18,4)) where "points" is not null;
alter table "shop"."marts"."people_sent_snapshot" drop column "points";
alter table "shop"."marts"."people_sent_snapshot" rename column "_batch_retyped" to "points";
alter table "shop"."marts"."people_sent_snapshot" add column "_batch_retyped" double precision;
update "shop"."marts"."people_sent_snapshot" set "_batch_retyped" = cast("price" as double precision) where "price" is not null;
alter table "shop"."marts"."people_sent_snapshot" drop column "price";
alter table "shop"."marts"."people_sent_snapshot" rename column "_batch_retyped" to "price";
alter table "shop"."marts"."people_sent_snapshot" add column "_batch_retyped" varchar(256);
update "shop"."marts"."people_sent_snapshot" set "_batch_retyped" = cast(case when "vip" then 'true' when not "vip" then 'false' end as varchar(65535)) where "vip" is not null;
alter table "shop"."marts"."people_sent_snapshot" drop column "vip";
alter table "shop"."marts"."people_sent_snapshot" rename column "_batch_retyped" to "vip";
alter table "shop"."marts"."people_sent_snapshot" add column "_batch_retyped" bigint;
update "shop"."marts"."people_sent_snapshot" set "_batch_retyped" = cast(null as bigint) where "level" is not null;
alter table "shop"."marts"."people_sent_snapshot" drop column "level";
alter table "shop"."marts"."people_sent_snapshot" rename column "_batch_retyped" to "level";

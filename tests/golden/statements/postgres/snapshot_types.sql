-- as on DuckDB (5 lines)
alter table "shop"."marts"."people_sent_snapshot" alter column "points" type numeric(18,4) using cast(null as numeric(18,4)), alter column "price" type double precision using cast("price" as double precision), alter column "vip" type text using cast("vip" as text), alter column "level" type bigint using cast(null as bigint);

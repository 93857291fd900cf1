update "shop"."marts"."people_sent_snapshot" set "_batch_doubt" = case when
    position(',points,' in coalesce((coalesce("_batch_doubt", '') || case when "points" is not null then ',points,' else '' end || case when "vip" is not null then ',vip,' else '' end || case when "level" is not null then ',level,' else '' end), '')) > 0 then ',points,' else '' end || case when
    position(',price,' in coalesce((coalesce("_batch_doubt", '') || case when "points" is not null then ',points,' else '' end || case when "vip" is not null then ',vip,' else '' end || case when "level" is not null then ',level,' else '' end), '')) > 0 then ',price,' else '' end || case when
    position(',vip,' in coalesce((coalesce("_batch_doubt", '') || case when "points" is not null then ',points,' else '' end || case when "vip" is not null then ',vip,' else '' end || case when "level" is not null then ',level,' else '' end), '')) > 0 then ',vip,' else '' end || case when
    position(',level,' in coalesce((coalesce("_batch_doubt", '') || case when "points" is not null then ',points,' else '' end || case when "vip" is not null then ',vip,' else '' end || case when "level" is not null then ',level,' else '' end), '')) > 0 then ',level,' else '' end where "points" is not null or "vip" is not null or "level" is not null;
alter table "shop"."marts"."people_sent_snapshot" alter column "points" type DECIMAL(18,4) using try_cast("points" as DECIMAL(18,4));
alter table "shop"."marts"."people_sent_snapshot" alter column "price" type DOUBLE using try_cast("price" as DOUBLE);
alter table "shop"."marts"."people_sent_snapshot" alter column "vip" type VARCHAR using try_cast("vip" as VARCHAR);
alter table "shop"."marts"."people_sent_snapshot" alter column "level" type BIGINT using try_cast("level" as BIGINT);

alter table shop.marts.people_sent_snapshot add column "NICK" character varying(16777216), "TAGS" character varying(16777216);

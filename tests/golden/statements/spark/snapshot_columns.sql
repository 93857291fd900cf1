alter table marts.people_sent_snapshot add columns `nick` string, `tags` array<string>;

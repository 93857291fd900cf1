-- as on DuckDB (5 lines)
create or replace table marts.people_sent_snapshot
    using delta
    as
    select `custom_id`, cast(null as decimal(18,4)) as `points`, cast(`price` as double) as `price`, cast(`vip` as string) as `vip`, cast(null as bigint) as `level`, `_batch_sent_at`, `_batch_run_id`, `_batch_delta_id`, `_batch_exited_at`, `_batch_doubt`, `_batch_opted_out` from marts.people_sent_snapshot;

-- as on DuckDB (5 lines)
create or replace table `shop`.`marts`.`people_sent_snapshot`
    using delta
    cluster by (custom_id)
    as
    select `custom_id`, cast(null as decimal(18,4)) as `points`, cast(`price` as double) as `price`, cast(`vip` as string) as `vip`, cast(null as bigint) as `level`, `_batch_sent_at`, `_batch_run_id`, `_batch_delta_id`, `_batch_exited_at`, `_batch_doubt`, `_batch_opted_out` from `shop`.`marts`.`people_sent_snapshot`;

-- $rows orders of 200,000 people, $per_day per day up to now, ordered by time.
create schema if not exists raw;

create or replace table raw.orders as
select
    i as order_id,
    'C' || lpad(((i * 7919) % 200000)::varchar, 9, '0') as customer_id,
    cast(current_timestamp at time zone 'UTC' as timestamp) - to_seconds(cast(($rows - i) * 86400.0 / $per_day as bigint)) as placed_at,
    ((i * 2654435761) % 90000 / 100)::decimal(18, 2) as amount
from range($rows) as t(i);

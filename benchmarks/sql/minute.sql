-- One more minute of orders.
insert into raw.orders
select
    last_id + 1 + i,
    'C' || lpad(((i * 7919) % 200000)::varchar, 9, '0'),
    cast(current_timestamp at time zone 'UTC' as timestamp),
    (i % 90000 / 100)::decimal(18, 2)
from range($rows) as t(i), (select max(order_id) as last_id from raw.orders);

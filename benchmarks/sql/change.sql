-- One customer in a hundred places another order.
update raw.people
set last_order_at = timestamp '2026-01-02 03:04:05', order_count = order_count + 1, lifetime_value = lifetime_value + 12.5
where substr(customer_id, 2)::bigint % 100 = 7;

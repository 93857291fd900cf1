-- Every order was made by a guest, or by somebody in the customer file.
select orders.order_id
from {{ ref('stg_orders') }} as orders
where
    orders.customer_id is not null
    and not exists (
        select 1 from {{ ref('stg_customers') }} as customers
        where customers.customer_id = orders.customer_id
    )

-- One row per order, priced, with the orders of the demo's second day when it has come.
with orders as (
    select * from {{ ref('raw_orders') }}
    union all
    select * from {{ ref('raw_orders_later') }}
    where {{ var('demo_day') | int }} >= 2
)

select
    orders.order_id,
    orders.customer_id,
    orders.product_id,
    products.product_name,
    products.category,
    orders.quantity,
    cast(orders.quantity * products.unit_price as {{ dbt.type_numeric() }}) as amount,
    orders.ordered_at,
    orders.order_date,
    orders.channel,
    orders.status,
    orders.rating
from orders
inner join {{ ref('raw_products') }} as products on products.product_id = orders.product_id

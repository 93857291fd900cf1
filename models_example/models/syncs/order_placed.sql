-- Every order of the last days, as an event. The order book ends on a fixed evening: its times are moved so that the newest order is a minute old.
with orders as (
    select * from {{ ref('stg_orders') }}
    where customer_id is not null
),

book as (
    select max(ordered_at) as ends_at from orders
),

moved as (
    select
        orders.*,
        {{ dbt.datediff('book.ends_at', dbt.current_timestamp(), 'second') }} - 60 as seconds_ago
    from orders
    cross join book
)

select
    order_id,
    customer_id,
    {{ dbt.dateadd('second', 'seconds_ago', 'ordered_at') }} as placed_at,
    channel,
    product_name,
    category,
    quantity,
    amount,
    {{ dbt.concat(["'https://bakery.example/products/'", 'product_id']) }} as page
from moved

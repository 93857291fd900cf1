-- One row per customer with a completed order. "Recent" is the 90 days up to the newest order in the book.
with completed as (
    select * from {{ ref('stg_orders') }}
    where
        status = 'completed'
        and customer_id is not null
),

order_book as (
    select max(order_date) as as_of from {{ ref('stg_orders') }}
),

dated as (
    select
        completed.*,
        case when completed.order_date > {{ dbt.dateadd('day', -90, 'order_book.as_of') }} then 1 else 0 end as is_recent
    from completed
    cross join order_book
)

select
    customer_id,
    count(*) as orders_count,
    cast(sum(amount) as numeric(12, 2)) as lifetime_value,
    cast(floor(sum(amount)) as {{ dbt.type_bigint() }}) as loyalty_points,
    round(avg(rating), 2) as average_rating,
    max(ordered_at) as last_order_at,
    sum(is_recent) as recent_orders,
    cast(sum(case when is_recent = 1 then amount else 0 end) as numeric(12, 2)) as recent_spend
from dated
group by customer_id

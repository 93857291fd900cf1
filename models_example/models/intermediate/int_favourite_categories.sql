-- One row per customer: up to three categories, the one bought most often first.
with purchases as (
    select
        customer_id,
        category,
        sum(quantity) as pieces
    from {{ ref('stg_orders') }}
    where
        status = 'completed'
        and customer_id is not null
    group by customer_id, category
),

ranked as (
    select
        customer_id,
        category,
        row_number() over (partition by customer_id order by pieces desc, category) as position
    from purchases
)

select
    customer_id,
    {{ ordered_array('category', 'position') }} as favourite_categories
from ranked
where position <= 3
group by customer_id

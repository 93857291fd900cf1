-- What the bakery sells, for messages that show products.
with recent as (
    select
        product_id,
        sum(quantity) as pieces
    from {{ ref('stg_orders') }}
    where
        status = 'completed'
        and order_date > {{ dbt.dateadd('day', -90, "(select max(order_date) from " ~ ref('stg_orders') ~ ")") }}
    group by product_id
)

select
    products.product_id,
    products.product_name,
    products.category,
    products.unit_price,
    {{ dbt.concat(["'https://bakery.example/products/'", 'products.product_id']) }} as page,
    coalesce(recent.pieces, 0) >= 150 as is_bestseller
from {{ ref('raw_products') }} as products
left join recent on recent.product_id = products.product_id

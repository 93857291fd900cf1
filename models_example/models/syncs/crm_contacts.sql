-- Everybody whom the bakery may keep in its customer file. What goes to Batch is in `_syncs.yml`, under `batch_sync`.
select
    customers.customer_id,

    -- Batch's standard attributes
    customers.email,
    customers.email_optin,
    customers.phone,
    customers.sms_optin,
    customers.language,
    customers.country,
    customers.timezone,
    {{ split_to_array('customers.newsletter_topics', '|') }} as topics,

    -- the bakery's own
    customers.first_name,
    customers.last_name,
    customers.nickname,
    customers.city,
    customers.delivery_note,
    customers.birth_date,
    customers.signed_up_at,
    customers.has_bread_box,
    customers.business_site as site,
    coalesce(orders.loyalty_points, 0) as loyalty_points,
    orders.lifetime_value,
    orders.average_rating,
    orders.last_order_at,
    favourites.favourite_categories,

    -- not mapped: never leaves the warehouse
    customers.internal_note
from {{ ref('stg_customers') }} as customers
left join {{ ref('int_customer_orders') }} as orders on orders.customer_id = customers.customer_id
left join {{ ref('int_favourite_categories') }} as favourites on favourites.customer_id = customers.customer_id
where customers.deletion_requested_on is null

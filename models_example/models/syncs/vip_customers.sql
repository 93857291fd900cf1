-- The bakery's best customers of the last 90 days. People enter and leave; Batch sees that in `is_vip`.
select
    orders.customer_id,
    case when orders.recent_spend >= 250 then 'gold' else 'silver' end as tier,
    orders.recent_spend,
    orders.recent_orders
from {{ ref('int_customer_orders') }} as orders
where
    orders.recent_spend >= 150
    and exists (
        select 1 from {{ ref('crm_contacts') }} as contacts
        where contacts.customer_id = orders.customer_id
    )

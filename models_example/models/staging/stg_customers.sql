-- One row per customer, with what the shop knows on the demo's day. A row of `raw_customers_later` replaces the earlier
-- one. Texts are trimmed and otherwise left as they came: what is wrong in the source stays wrong here, and in sight.
with first_day as (
    select * from {{ ref('raw_customers') }}
),

later as (
    select * from {{ ref('raw_customers_later') }}
    where {{ var('demo_day') | int }} >= 2
),

customers as (
    select * from first_day
    where
        customer_id is null
        or not exists (select 1 from later where later.customer_id = first_day.customer_id)
    union all
    select * from later
)

select
    trim(customer_id) as customer_id,
    trim(first_name) as first_name,
    trim(last_name) as last_name,
    trim(nickname) as nickname,
    trim(email) as email,
    email_optin,
    replace(trim(phone), ' ', '') as phone,
    lower(trim(sms_optin)) as sms_optin,
    lower(trim(language)) as language,
    trim(country) as country,
    trim(city) as city,
    trim(timezone) as timezone,
    birth_date,
    signed_up_at,
    has_bread_box,
    trim(business_site) as business_site,
    newsletter_topics,
    trim(delivery_note) as delivery_note,
    internal_note,
    deletion_requested_on
from customers

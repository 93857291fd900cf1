-- The guests of the spring tasting: the best customers of the last 90 days who agreed to e-mails.
select
    vips.customer_id,
    contacts.first_name,
    vips.tier,
    contacts.last_order_at,
    contacts.favourite_categories
from {{ ref('vip_customers') }} as vips
inner join {{ ref('crm_contacts') }} as contacts on contacts.customer_id = vips.customer_id
where contacts.email_optin

{{ config(severity='warn') }}

-- Batch takes two words. One row of the example has another one, and goes without the attribute.
select
    customer_id,
    sms_optin
from {{ ref('crm_contacts') }}
where sms_optin not in ('subscribed', 'unsubscribed')

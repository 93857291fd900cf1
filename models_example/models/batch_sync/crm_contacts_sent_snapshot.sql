{{ dbt_batch_sync.sent_snapshot('crm_contacts') }}

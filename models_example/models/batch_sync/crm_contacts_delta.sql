{{ dbt_batch_sync.delta('crm_contacts') }}

{{ dbt_batch_sync.sent_snapshot('vip_customers') }}

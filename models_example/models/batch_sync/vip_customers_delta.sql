{{ dbt_batch_sync.delta('vip_customers') }}

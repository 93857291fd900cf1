-- Written by `dbt-batch-sync generate`. Yours to configure: it is written once.
{{ dbt_batch_sync.delta('order_placed', key='event_id') }}

-- Written by `dbt-batch-sync generate`. Yours to configure: it is written once.
{{ dbt_batch_sync.sent_snapshot('tasting_guests') }}

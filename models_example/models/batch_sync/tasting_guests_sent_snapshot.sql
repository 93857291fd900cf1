{{ dbt_batch_sync.sent_snapshot('tasting_guests') }}

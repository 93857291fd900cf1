{{ dbt_batch_sync.delta('tasting_guests') }}

{{ dbt_batch_sync.delta('shop_products', key='item_id') }}

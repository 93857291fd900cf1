{{ dbt_batch_sync.sent_snapshot('shop_products', key='item_id') }}

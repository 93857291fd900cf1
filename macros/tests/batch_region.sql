{% test batch_region(model, column_name) %}
    {{- dbt_batch_sync.rejected_values(model, column_name, dbt_batch_sync.not_on_the_list(dbt_batch_sync.region_words(), 'invalid_region')) }}
{% endtest %}

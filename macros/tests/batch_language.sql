{% test batch_language(model, column_name) %}
    {{- dbt_batch_sync.rejected_values(model, column_name, dbt_batch_sync.not_on_the_list(dbt_batch_sync.language_words(), 'invalid_language')) }}
{% endtest %}

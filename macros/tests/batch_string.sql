{#- `max_length`: 10,000 for a field of a catalog. -#}
{% test batch_string(model, column_name, max_length=300) %}
    {{- dbt_batch_sync.rejected_values(model, column_name, "case when length(value) > " ~ max_length ~ " then 'too_long' end") }}
{% endtest %}

{% test batch_string(model, column_name) %}
    {{- dbt_batch_sync.refused_values(model, column_name, "case when length(value) > 300 then 'too_long' end") }}
{% endtest %}

{% test batch_email(model, column_name) %}
    {%- set pattern = '[^@' ~ dbt_batch_sync.blank_characters() ~ ']+@[A-Za-z0-9.-]+[.][A-Za-z0-9]+' %}
    {%- set problem %}case when length(value) > 128 then 'too_long' when not {{ dbt_batch_sync.full_match('value', pattern) }} then 'invalid_email' end{% endset %}
    {{- dbt_batch_sync.refused_values(model, column_name, problem) }}
{% endtest %}

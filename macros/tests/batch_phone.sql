{#- Values that Batch rejects or that no numbering plan has. -#}
{% test batch_phone(model, column_name) %}
    {%- set problem -%}
    case
        when not {{ dbt_batch_sync.full_match('value', '[+][0-9]{1,15}') }} then 'invalid_phone'
        when not {{ dbt_batch_sync.full_match('value', dbt_batch_sync.phone_pattern()) }} then 'impossible_phone'
    end
    {%- endset %}
    {{- dbt_batch_sync.rejected_values(model, column_name, problem) }}
{% endtest %}

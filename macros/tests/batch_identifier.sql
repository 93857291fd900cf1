{#- As the delta judges the sync's rows: a null is a problem here, and so is a value that two rows have. -#}
{% test batch_identifier(model, column_name) %}
    {%- set custom_id = dbt_batch_sync.column('custom_id') %}
    select {{ custom_id }}, reason
    from (
        select
            {{ custom_id }},
            case
                when {{ custom_id }} is not null and count(*) over (partition by {{ custom_id }}) > 1 then 'duplicate_identifier'
                else {{ dbt_batch_sync.identifier_problem('identifiers', {'name': 'custom_id', 'type': 'string'}) }}
            end as reason
        from (select {{ dbt_batch_sync.tested_text(column_name) }} as {{ custom_id }} from {{ model }}) as identifiers
    ) as checked
    where reason is not null
{% endtest %}

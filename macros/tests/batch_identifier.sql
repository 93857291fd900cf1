{#- The same rules as in the delta: nulls and duplicates are problems. `unique`: false for events, of which a profile has several. -#}
{% test batch_identifier(model, column_name, unique=true) %}
    {{- dbt_batch_sync.rejected_keys(model, column_name, 'custom_id', dbt_batch_sync.identifier_problem('identifiers', {'name': 'custom_id', 'type': 'string'}), unique) }}
{% endtest %}

{#- The same for items of a catalog. -#}
{% test batch_item_id(model, column_name) %}
    {{- dbt_batch_sync.rejected_keys(model, column_name, 'item_id', dbt_batch_sync.identifier_problem('identifiers', {'name': 'item_id', 'type': 'string'}, reserved=false)) }}
{% endtest %}


{#- The body of these tests: keys that a push would not send, each with its reason. -#}
{% macro rejected_keys(model, column_name, key, problem, unique=true) %}
    {%- set id = dbt_batch_sync.column(key) %}
    select {{ id }}, reason
    from (
        select
            {{ id }},
            {%- if unique %}
            case
                when {{ id }} is not null and count(*) over (partition by {{ id }}) > 1 then 'duplicate_identifier'
                else {{ problem }}
            end as reason
            {%- else %}
            {{ problem }} as reason
            {%- endif %}
        from (select {{ dbt_batch_sync.tested_text(column_name) }} as {{ id }} from {{ model }}) as identifiers
    ) as checked
    where reason is not null
{% endmacro %}

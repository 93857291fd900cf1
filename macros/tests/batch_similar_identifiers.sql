{#- Identifiers that differ only by spaces, case or, if the warehouse can tell, by invisible characters or accent encoding. Batch has
    different profiles for them, but most likely they are one person. -#}
{% test batch_similar_identifiers(model, column_name) %}
    {{- config(severity='warn') }}
    {%- set custom_id = dbt_batch_sync.column('custom_id') %}
    select {{ custom_id }}
    from (
        select {{ custom_id }}, count(*) over (partition by folded) as alike
        from (
            select {{ custom_id }}, {{ dbt_batch_sync.folded_text(custom_id) }} as folded
            from (select distinct {{ dbt_batch_sync.tested_text(column_name) }} as {{ custom_id }} from {{ model }}) as identifiers
            where {{ custom_id }} is not null
        ) as texts
    ) as counted
    where alike > 1
{% endtest %}


{#- A text without characters that are easily overlooked. -#}
{% macro folded_text(expression) %}{{ return(adapter.dispatch('folded_text', 'dbt_batch_sync')(expression)) }}{% endmacro %}
{% macro default__folded_text(expression) %}
    {{ return("replace(lower(" ~ dbt_batch_sync.spaces_for_blanks(expression) ~ "), ' ', '')") }}
{% endmacro %}

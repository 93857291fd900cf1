{#- Identifiers that differ only by spaces, case or, if the warehouse can tell, by invisible characters or accent encoding. Batch has
    different profiles for them, but most likely they are one person. The rows of a delta are compared with the snapshot, too. -#}
{% test batch_similar_identifiers(model, column_name) %}
    {{- config(severity='warn') }}
    {%- set custom_id, snapshot = dbt_batch_sync.column('custom_id'), dbt_batch_sync.snapshot_of_delta(model) %}
    select {{ custom_id }}
    from (
        select {{ custom_id }}, count(*) over (partition by folded) as alike
        from (
            select {{ custom_id }}, {{ dbt_batch_sync.folded_text(custom_id) }} as folded
            {%- if snapshot %}
            from (
                select distinct {{ custom_id }}
                from (
                    select {{ dbt_batch_sync.tested_text(column_name) }} as {{ custom_id }} from {{ model }}
                    union all
                    select {{ custom_id }} from {{ snapshot }} where {{ dbt_batch_sync.column('_batch_exited_at') }} is null
                ) as both_tables
            ) as identifiers
            {%- else %}
            from (select distinct {{ dbt_batch_sync.tested_text(column_name) }} as {{ custom_id }} from {{ model }}) as identifiers
            {%- endif %}
            where {{ custom_id }} is not null
        ) as texts
    ) as counted
    where alike > 1
{% endtest %}


{#- The relation of the snapshot whose delta is tested; empty for other models. -#}
{% macro snapshot_of_delta(model) %}
    {% if not execute %}{{ return('') }}{% endif %}
    {% for node in graph.nodes.values() if node.resource_type == 'model' and node.name.endswith('_delta') and node.relation_name and node.relation_name in (model | string) %}
        {% for other in graph.nodes.values() if other.unique_id in node.depends_on.nodes and other.name == node.name[:-6] ~ '_sent_snapshot' %}
            {{ return(other.relation_name) }}
        {% endfor %}
    {% endfor %}
    {{ return('') }}
{% endmacro %}


{#- A text without characters that are easily overlooked. -#}
{% macro folded_text(expression) %}{{ return(adapter.dispatch('folded_text', 'dbt_batch_sync')(expression)) }}{% endmacro %}
{% macro default__folded_text(expression) %}
    {{ return("replace(lower(" ~ dbt_batch_sync.spaces_for_blanks(expression) ~ "), ' ', '')") }}
{% endmacro %}

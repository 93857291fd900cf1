{#- The key of a row, as text. -#}
{% macro identifier_expression(identifier) %}{{ return(adapter.dispatch('identifier_expression', 'dbt_batch_sync')(identifier)) }}{% endmacro %}
{% macro default__identifier_expression(identifier) -%}
    cast({{ dbt_batch_sync.model_column(identifier.column) }} as {{ dbt_batch_sync.identifier_type() }})
{%- endmacro %}


{#- Why a row can't be sent, or null. Batch accepts 1 to 511 characters, no line breaks, no blank texts, and none of the words that broken
    clients send (`reserved`). Rejecting other control characters is our choice. Only rows that differ are checked, so known profiles cost nothing. -#}
{% macro identifier_problem(row, identifier, reserved=true) -%}
    {%- set id = row ~ '.' ~ dbt_batch_sync.column(identifier.name) -%}
    case
        when {{ id }} is null then 'null_identifier'
        {%- if identifier.type == 'string' %}
        when {{ dbt_batch_sync.trimmed(dbt_batch_sync.spaces_for_blanks(id)) }} = '' then 'empty_identifier'
        when length({{ id }}) > 511 then 'long_identifier'
        when {{ dbt_batch_sync.has_line_break(id) }} then 'line_break_identifier'
        when not {{ dbt_batch_sync.full_match(id, '[^' ~ dbt_batch_sync.control_characters() ~ ']*') }} then 'control_character_identifier'
        {%- if reserved %}
        when lower({{ dbt_batch_sync.trimmed(id) }}) in ('undefined', 'null', 'nil', '(null)', '[object object]', 'true', 'false', 'nan', 'infinity', '-infinity') then 'reserved_identifier'
        {%- endif %}
        {%- endif %}
    end
{%- endmacro %}

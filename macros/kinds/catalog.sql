{#- Catalogs: each row of the model is an item with all its fields. Rows that leave are removed, or stay with `on_exit: ignore`. -#}

{% macro catalog__read_mapping(sync, raw) %}
    {{ return({
        'key': 'item_id',
        'on_exit': 'flag' if (raw.get('on_exit') or 'remove') == 'remove' else 'ignore',
        'listed': raw.get('fields') or []
    }) }}
{% endmacro %}


{% macro catalog__attributes(sync, mapping, columns) %}{{ return(dbt_batch_sync.listed_attributes(sync, mapping, columns)) }}{% endmacro %}


{% macro catalog__row_problem(row, mapping, attributes) %}{{ return(dbt_batch_sync.item_id_problem(row, attributes[0])) }}{% endmacro %}

{#- The rules for item ids are not documented; 1 to 511 characters without line breaks is our choice. Unlike a `custom_id`, an item id may
    be a reserved word: a product can be called `true`. -#}
{% macro item_id_problem(row, identifier) -%}
    {%- set id = row ~ '.' ~ dbt_batch_sync.column(identifier.name) -%}
    case
        when {{ id }} is null then 'null_identifier'
        {%- if identifier.type == 'string' %}
        when {{ dbt_batch_sync.trimmed(dbt_batch_sync.spaces_for_blanks(id)) }} = '' then 'empty_identifier'
        when length({{ id }}) > 511 then 'long_identifier'
        when {{ dbt_batch_sync.has_line_break(id) }} then 'line_break_identifier'
        {%- endif %}
    end
{%- endmacro %}

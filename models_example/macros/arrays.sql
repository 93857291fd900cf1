{#- A delimited text as an array of texts. -#}
{% macro split_to_array(text, delimiter) -%}
    {{ adapter.dispatch('split_to_array')(text, delimiter) }}
{%- endmacro %}

{% macro default__split_to_array(text, delimiter) -%}
    string_to_array({{ text }}, '{{ delimiter }}')
{%- endmacro %}

{% macro bigquery__split_to_array(text, delimiter) -%}
    split({{ text }}, '{{ delimiter }}')
{%- endmacro %}

{% macro snowflake__split_to_array(text, delimiter) -%}
    split({{ text }}, '{{ delimiter }}')
{%- endmacro %}


{#- The values of a group as an array, in the order of another column. -#}
{% macro ordered_array(value, order_by) -%}
    {{ adapter.dispatch('ordered_array')(value, order_by) }}
{%- endmacro %}

{% macro default__ordered_array(value, order_by) -%}
    array_agg({{ value }} order by {{ order_by }})
{%- endmacro %}

{% macro snowflake__ordered_array(value, order_by) -%}
    array_agg({{ value }}) within group (order by {{ order_by }})
{%- endmacro %}

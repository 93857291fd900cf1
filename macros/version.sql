{#- The version of this half; the runner holds its own against it. -#}
{% macro version() %}{{ return('0.1.0') }}{% endmacro %}

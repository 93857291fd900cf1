{#- The version of the macros. The runner compares it with its own. -#}
{% macro version() %}{{ return('0.1.0') }}{% endmacro %}

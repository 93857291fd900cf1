{#- The body of a test: the values of a column that a push would hold back, each with its reason. `problem` is SQL about `value`, a text
    that is neither null nor empty: empty texts are sent as null. -#}
{% macro rejected_values(model, column_name, problem) -%}
    select value, reason
    from (
        select value, {{ problem }} as reason
        from (select {{ dbt_batch_sync.tested_text(column_name) }} as value from {{ model }}) as texts
        where value <> ''
    ) as checked
    where reason is not null
{%- endmacro %}


{#- The tested column as text. Its name may be quoted already. -#}
{% macro tested_text(column_name) %}{{ return(adapter.dispatch('tested_text', 'dbt_batch_sync')(column_name)) }}{% endmacro %}
{% macro default__tested_text(column_name) %}{{ return('cast(' ~ column_name ~ ' as ' ~ dbt_batch_sync.text_type() ~ ')') }}{% endmacro %}


{#- Whether a whole text matches a pattern. -#}
{% macro full_match(expression, pattern) %}{{ return(adapter.dispatch('full_match', 'dbt_batch_sync')(expression, pattern)) }}{% endmacro %}
{% macro default__full_match(expression, pattern) %}{{ dbt_batch_sync.unsupported() }}{% endmacro %}


{#- Blanks and control characters, for use in a character class. -#}
{% macro blank_characters() %}{{ return(adapter.dispatch('blank_characters', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__blank_characters() %}{{ dbt_batch_sync.unsupported() }}{% endmacro %}

{#- Control characters and line and paragraph separators. -#}
{% macro control_characters() %}{{ return(adapter.dispatch('control_characters', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__control_characters() %}{{ dbt_batch_sync.unsupported() }}{% endmacro %}

{#- Format characters, such as a zero-width space. -#}
{% macro invisible_characters() %}{{ return(adapter.dispatch('invisible_characters', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__invisible_characters() %}{{ dbt_batch_sync.unsupported() }}{% endmacro %}


{% macro not_on_the_list(words, reason) %}
    {{ return("case when value not in ('" ~ (words | join("', '")) ~ "') then '" ~ reason ~ "' end") }}
{% endmacro %}

{#- The body of a test: the values of a column that a push would withhold, each with the reason that it would write down.
    `problem` is SQL about `value`, a text that is neither null nor empty: Batch has no empty texts, and both are sent as null. -#}
{% macro refused_values(model, column_name, problem) -%}
    select value, reason
    from (
        select value, {{ problem }} as reason
        from (select {{ dbt_batch_sync.tested_text(column_name) }} as value from {{ model }}) as texts
        where value <> ''
    ) as checked
    where reason is not null
{%- endmacro %}


{#- A column as a test names it, which may have quotes already, as text. -#}
{% macro tested_text(column_name) %}{{ return(adapter.dispatch('tested_text', 'dbt_batch_sync')(column_name)) }}{% endmacro %}
{% macro default__tested_text(column_name) %}{{ return('cast(' ~ column_name ~ ' as ' ~ dbt_batch_sync.text_type() ~ ')') }}{% endmacro %}


{#- Whether a whole text has the form of a pattern. -#}
{% macro full_match(expression, pattern) %}{{ return(adapter.dispatch('full_match', 'dbt_batch_sync')(expression, pattern)) }}{% endmacro %}
{% macro default__full_match(expression, pattern) %}{{ dbt_batch_sync.unsupported() }}{% endmacro %}


{#- Blanks and control characters, as the inside of a pattern's brackets. -#}
{% macro blank_characters() %}{{ return(adapter.dispatch('blank_characters', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__blank_characters() %}{{ dbt_batch_sync.unsupported() }}{% endmacro %}

{#- Control characters, and the separators of lines and paragraphs. -#}
{% macro control_characters() %}{{ return(adapter.dispatch('control_characters', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__control_characters() %}{{ dbt_batch_sync.unsupported() }}{% endmacro %}

{#- Characters that only format, such as a zero-width space. -#}
{% macro invisible_characters() %}{{ return(adapter.dispatch('invisible_characters', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__invisible_characters() %}{{ dbt_batch_sync.unsupported() }}{% endmacro %}


{% macro not_on_the_list(words, reason) %}
    {{ return("case when value not in ('" ~ (words | join("', '")) ~ "') then '" ~ reason ~ "' end") }}
{% endmacro %}

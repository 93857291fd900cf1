{#- Overrides of dbt's macros by its adapters, without the configs that this package doesn't set. Based on dbt-snowflake 1.12,
    dbt-bigquery 1.12, dbt-redshift 1.11, dbt-databricks 1.12 and dbt-spark 1.11; `make test-warehouses` runs the originals. -#}

{% macro snowflake__create_table_as(temporary, relation, sql) -%}
    create or replace {{ 'transient ' if config.get('transient') is not false }}table {{ relation }}
    {% if config.get('copy_grants') %}copy grants{% endif %}
    as ({{ sql }})
{%- endmacro %}

{% macro set_query_tag() %}
    {% if config.get('query_tag') %}
        {% do run_query("alter session set query_tag = '" ~ config.get('query_tag') ~ "'") %}
        {{ return('former') }}
    {% endif %}
{% endmacro %}

{% macro unset_query_tag(original_query_tag) %}
    {% if config.get('query_tag') %}{% do run_query("alter session set query_tag = '" ~ original_query_tag ~ "'") %}{% endif %}
{% endmacro %}

{% macro snowflake__alter_relation_add_remove_columns(relation, add_columns, remove_columns) %}
    {% set sql -%}
        alter {{ relation.type }} {{ relation }} add column
        {%- for column in add_columns %} {{ adapter.quote(column.name) }} {{ column.data_type }}{{ ',' if not loop.last }}{% endfor %}
    {%- endset %}
    {% do run_query(sql) %}
{% endmacro %}


{% macro bigquery__hash(field) %}to_hex({{ dbt.default__hash(field) }}){% endmacro %}

{% macro bigquery__position(substring_text, string_text) %}strpos({{ string_text }}, {{ substring_text }}){% endmacro %}

{% macro bigquery__string_literal(value) %}'''{{ value }}'''{% endmacro %}

{% macro bigquery__create_table_as(temporary, relation, sql) -%}
    create or replace table {{ relation }}
    {% if config.get('cluster_by') %}cluster by {{ config.get('cluster_by') | join(', ') }}{% endif %}
    options() as ({{ sql }})
{%- endmacro %}

{#- dbt-bigquery calls an API instead of running a statement. -#}
{% macro bigquery__alter_relation_add_remove_columns(relation, add_columns, remove_columns) %}{% endmacro %}


{% macro redshift__create_table_as(temporary, relation, sql) -%}
    create table {{ relation }}
    {% if config.get('dist') %}diststyle key distkey ({{ config.get('dist') }}){% endif %}
    {% if config.get('sort') %}compound sortkey({{ config.get('sort') }}){% endif %}
    as ({{ sql }})
{%- endmacro %}

{% macro redshift__alter_relation_add_remove_columns(relation, add_columns, remove_columns) %}
    {% for column in add_columns %}
        {% do run_query('alter ' ~ relation.type ~ ' ' ~ relation ~ ' add column ' ~ column.quoted ~ ' ' ~ column.data_type) %}
    {% endfor %}
{% endmacro %}


{% macro spark__create_table_as(temporary, relation, sql) -%}
    create or replace table {{ relation }}
    using {{ config.get('file_format') or 'delta' }}
    {% if config.get('liquid_clustered_by') %}cluster by ({{ config.get('liquid_clustered_by') }}){% endif %}
    as
    {{ sql }}
{%- endmacro %}

{% macro spark__alter_relation_add_remove_columns(relation, add_columns, remove_columns) %}
    {% set sql -%}
        alter {{ relation.type }} {{ relation }} add columns
        {%- for column in add_columns %} {{ column.quoted }} {{ column.data_type }}{{ ',' if not loop.last }}{% endfor %}
    {%- endset %}
    {% do run_query(sql) %}
{% endmacro %}

{% macro databricks__alter_relation_add_remove_columns(relation, add_columns, remove_columns) %}
    {% set columns = [] %}
    {% for column in add_columns %}{% do columns.append(column.quoted ~ ' ' ~ column.data_type) %}{% endfor %}
    {% do run_query('alter table ' ~ relation ~ ' add columns (' ~ columns | join(', ') ~ ')') %}
{% endmacro %}

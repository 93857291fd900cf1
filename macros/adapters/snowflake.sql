{#- Snowflake. Our names are upper-case, like unquoted names, so `select custom_id from crm_contacts_delta` works. Columns of a sync keep
    their names and case. -#}
{% macro snowflake__column(name) %}{{ return(dbt_batch_sync.model_column(name | upper)) }}{% endmacro %}

{% macro snowflake__model_column(name) %}{{ return(dbt_batch_sync.default__column(name)) }}{% endmacro %}

{% macro snowflake__reported_name(name) %}{{ return(name | upper) }}{% endmacro %}


{#- With the full type, as `describe` returns it. What dbt makes of it differs between versions. -#}
{% macro snowflake__columns_of(relation) %}
    {% set found = adapter.get_relation(database=relation.database, schema=relation.schema, identifier=relation.identifier) %}
    {% set columns = [] %}
    {% if found is not none %}
        {% for row in run_query('describe table ' ~ found.render()).rows %}
            {% do columns.append(api.Column.create(row['name'], row['type'])) %}
        {% endfor %}
    {% endif %}
    {{ return(columns) }}
{% endmacro %}


{#- Whole numbers have the maximum precision, which costs nothing. Arrays and semi-structured values are kept as JSON text, which compares
    alike for all their types and keeps the order of arrays. -#}
{% macro snowflake__column_kind(column) %}
    {% set type = column.dtype | upper %}
    {% set name = type.split('(')[0].split(' ')[0] %}
    {% if name in ('VARCHAR', 'TEXT', 'STRING', 'CHAR', 'CHARACTER') %}
        {{ return({'type': 'string', 'family': 'text', 'dtype': 'VARCHAR'}) }}
    {% elif name in ('NUMBER', 'DECIMAL', 'NUMERIC') %}
        {% set size = (type ~ '(38,0)').split('(')[1].split(')')[0].split(',') %}
        {% set precision, scale = size[0] | int, size[1] | int %}
        {% if scale %}
            {{ return({'type': 'float', 'family': 'decimal', 'dtype': 'NUMBER(' ~ precision ~ ',' ~ scale ~ ')', 'precision': precision, 'scale': scale}) }}
        {% endif %}
        {{ return({'type': 'integer', 'family': 'integer', 'dtype': 'NUMBER(38,0)'}) }}
    {% elif name in ('FLOAT', 'DOUBLE', 'REAL') %}
        {{ return({'type': 'float', 'family': 'double', 'dtype': 'FLOAT'}) }}
    {% elif name == 'BOOLEAN' %}
        {{ return({'type': 'boolean', 'family': 'boolean', 'dtype': 'BOOLEAN'}) }}
    {% elif name == 'DATE' %}
        {{ return({'type': 'date', 'family': 'date', 'dtype': 'DATE'}) }}
    {% elif name.startswith('TIMESTAMP') %}
        {{ return({'type': 'date', 'family': 'timestamp', 'dtype': 'TIMESTAMP_NTZ(6)'}) }}
    {% elif name == 'ARRAY' %}
        {{ return({'type': 'string_array', 'family': 'text', 'dtype': 'VARCHAR'}) }}
    {% elif name in ('VARIANT', 'OBJECT', 'MAP') %}
        {{ return({'type': 'json', 'family': 'json', 'dtype': 'VARCHAR'}) }}
    {% endif %}
    {{ return(none) }}
{% endmacro %}


{#- Texts are compared by their characters, whatever the column's collation. Two collations can't be compared at all. -#}
{% macro snowflake__value_of(column, kind) %}
    {% set name = dbt_batch_sync.model_column(column.name) %}
    {% set type = column.dtype | upper %}
    {% if kind.type in ('string_array', 'json') %}
        {#- `to_json` doesn't accept structured types. -#}
        {% set loose = {'ARRAY(': 'ARRAY', 'OBJECT(': 'OBJECT', 'MAP(': 'OBJECT'}.get(type.split('(')[0] ~ '(') if '(' in type else none %}
        {{ return('to_json(' ~ ('cast(' ~ name ~ ' as ' ~ loose ~ ')' if loose else name) ~ ')') }}
    {% elif type.startswith('TIMESTAMP_TZ') or type.startswith('TIMESTAMP_LTZ') %}
        {% set name = "convert_timezone('UTC', " ~ name ~ ')' %}
    {% elif ' COLLATE ' in type %}
        {% set name = 'collate(' ~ name ~ ", '')" %}
    {% endif %}
    {{ return('cast(' ~ name ~ ' as ' ~ kind.dtype ~ ')') }}
{% endmacro %}


{% macro snowflake__identifier_expression(identifier) %}
    {% set id = dbt_batch_sync.default__identifier_expression(identifier) %}
    {{ return('collate(' ~ id ~ ", '')" if ' COLLATE ' in (identifier.column_type | upper) else id) }}
{% endmacro %}


{% macro snowflake__text_of(column, kind) %}
    {{ return(dbt_batch_sync.value_of(column, kind) if kind.type == 'json' else dbt_batch_sync.default__text_of(column, kind)) }}
{% endmacro %}


{% macro snowflake__empty_as_null(expression, type) %}
    {{ return('nullif(' ~ expression ~ ", '[]')" if type == 'string_array' else dbt_batch_sync.default__empty_as_null(expression, type)) }}
{% endmacro %}


{% macro snowflake__text_type() %}{{ return('VARCHAR') }}{% endmacro %}

{% macro snowflake__timestamp_type() %}{{ return('TIMESTAMP_NTZ(6)') }}{% endmacro %}


{% macro snowflake__wider_dtype(have, want) %}
    {% if have.family == 'decimal' and want.family == 'decimal' %}
        {% set scale = [have.scale, want.scale] | max %}
        {% set digits = ([have.precision - have.scale, want.precision - want.scale] | max) + scale %}
        {{ return('NUMBER(' ~ digits ~ ',' ~ scale ~ ')' if digits <= 38 else 'FLOAT') }}
    {% endif %}
    {{ return(dbt_batch_sync.default__wider_dtype(have, want)) }}
{% endmacro %}


{% macro snowflake__tested_text(column_name) %}{{ return('collate(cast(' ~ column_name ~ " as VARCHAR), '')") }}{% endmacro %}

{#- Compares the first match with the whole text. Whether `regexp_like` ignores a trailing line break is not documented. -#}
{% macro snowflake__full_match(expression, pattern) %}
    {{ return('(regexp_substr(' ~ expression ~ ', $$' ~ pattern ~ '$$) is not distinct from ' ~ expression ~ ')') }}
{% endmacro %}

{#- Patterns have no Unicode classes and no character escapes, so the ranges contain the separators and control characters themselves. -#}
{% macro snowflake__blank_characters() %}
    {{ return('\u0001-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff') }}
{% endmacro %}

{% macro snowflake__control_characters() %}{{ return('\u0001-\u001f\u007f-\u009f\u2028\u2029') }}{% endmacro %}

{% macro snowflake__invisible_characters() %}{{ return('\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f') }}{% endmacro %}


{% macro snowflake__utc_now() %}{{ return("cast(convert_timezone('UTC', current_timestamp()) as TIMESTAMP_NTZ(6))") }}{% endmacro %}

{% macro snowflake__seconds_ago(seconds) %}{{ return('dateadd(second, -' ~ seconds ~ ', ' ~ dbt_batch_sync.utc_now() ~ ')') }}{% endmacro %}
{% macro snowflake__seconds_after(moment, seconds) %}{{ return('dateadd(second, ' ~ seconds ~ ', ' ~ moment ~ ')') }}{% endmacro %}

{% macro snowflake__double_type() %}{{ return('FLOAT') }}{% endmacro %}

{% macro snowflake__page_expression(id) %}{{ return('mod(abs(hash(' ~ id ~ ')), ' ~ dbt_batch_sync.buckets() ~ ')') }}{% endmacro %}

{#- Sorted by page, so that a push reads only the partitions of its range. -#}
{% macro snowflake__delta_order() %}{{ return('order by ' ~ dbt_batch_sync.column('_batch_page')) }}{% endmacro %}

{#- Copying grants needs a replaced table, and nothing is replaced here. -#}
{% macro snowflake__create_snapshot_sql(relation, sql) %}{{ return(dbt_batch_sync.default__create_snapshot_sql(relation, sql) | replace('copy grants', '', 1)) }}{% endmacro %}

{#- Time Travel and Fail-safe keep the state unless the project configures otherwise. -#}
{% macro snowflake__snapshot_defaults(key) %}{{ return({'transient': false, 'copy_grants': true}) }}{% endmacro %}

{#- Only the precision of a number can be changed in place, and several `alter` statements are several transactions. -#}
{% macro snowflake__change_types(relation, changes) %}{% do run_query(dbt_batch_sync.replaced_table_sql(relation, changes)) %}{% endmacro %}

{% macro snowflake__key_literal(key) %}{{ return("'" ~ (key | replace('\\', '\\\\') | replace("'", "''")) ~ "'") }}{% endmacro %}

{% macro snowflake__set_tag() %}{{ return(set_query_tag()) }}{% endmacro %}
{% macro snowflake__unset_tag(former) %}{% do unset_query_tag(former) %}{% endmacro %}

{% macro snowflake__default_collation(relation) %}{{ return(dbt_batch_sync.reported_collation(relation)) }}{% endmacro %}

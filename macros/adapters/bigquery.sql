{#- BigQuery can't compare arrays or JSON, and stores a null array as an empty one, so both are kept as JSON text. The metadata of a table
    lacks the precision of a NUMERIC, like that of a view. Dates are kept as DATETIME, so that a date column that becomes a timestamp keeps
    its type. -#}
{% macro bigquery__column_kind(column) %}
    {% set type = column.dtype | upper %}
    {% if column.mode == 'REPEATED' %}
        {{ return({'type': 'string_array', 'family': 'array', 'dtype': 'STRING'} if type == 'STRING' else none) }}
    {% elif type == 'STRING' %}
        {{ return({'type': 'string', 'family': 'text', 'dtype': 'STRING'}) }}
    {% elif type in ('INT64', 'INTEGER') %}
        {{ return({'type': 'integer', 'family': 'integer', 'dtype': 'INT64'}) }}
    {% elif type in ('NUMERIC', 'BIGNUMERIC') %}
        {{ return({'type': 'float', 'family': type | lower, 'dtype': type}) }}
    {% elif type in ('FLOAT64', 'FLOAT') %}
        {{ return({'type': 'float', 'family': 'double', 'dtype': 'FLOAT64'}) }}
    {% elif type in ('BOOL', 'BOOLEAN') %}
        {{ return({'type': 'boolean', 'family': 'boolean', 'dtype': 'BOOL'}) }}
    {% elif type in ('DATE', 'DATETIME', 'TIMESTAMP') %}
        {{ return({'type': 'date', 'family': 'timestamp', 'dtype': 'DATETIME'}) }}
    {% elif type == 'JSON' %}
        {{ return({'type': 'json', 'family': 'json', 'dtype': 'STRING'}) }}
    {% endif %}
    {{ return(none) }}
{% endmacro %}


{#- An empty collation overrides the column's, under which different texts may be equal. -#}
{% macro bigquery__value_of(column, kind) %}
    {% set name = dbt_batch_sync.column(column.name) %}
    {% if kind.family == 'array' %}
        {{ return('case when array_length(' ~ name ~ ') > 0 then to_json_string(' ~ name ~ ') end') }}
    {% elif kind.family == 'text' %}
        {{ return("collate(" ~ name ~ ", '')") }}
    {% elif column.dtype | upper == 'TIMESTAMP' %}
        {{ return("datetime(" ~ name ~ ", 'UTC')") }}
    {% endif %}
    {{ return('cast(' ~ name ~ ' as ' ~ kind.dtype ~ ')') }}
{% endmacro %}


{#- `to_json_string` turns null into the text 'null'. -#}
{% macro bigquery__text_of(column, kind) %}
    {% set name = dbt_batch_sync.column(column.name) %}
    {% if kind.type == 'json' %}
        {{ return('case when ' ~ name ~ ' is not null then to_json_string(' ~ name ~ ') end') }}
    {% endif %}
    {{ return(dbt_batch_sync.text(name if column.dtype | upper == 'DATE' else dbt_batch_sync.value_of(column, kind))) }}
{% endmacro %}


{% macro bigquery__identifier_expression(identifier) %}
    {{ return("collate(" ~ dbt_batch_sync.default__identifier_expression(identifier) ~ ", '')") }}
{% endmacro %}


{#- Without the second argument, it would trim all Unicode white space, which other warehouses keep. -#}
{% macro bigquery__trimmed(expression) %}{{ return('trim(' ~ expression ~ ", ' ')") }}{% endmacro %}


{% macro bigquery__text_type() %}{{ return('STRING') }}{% endmacro %}

{% macro bigquery__boolean_type() %}{{ return('BOOL') }}{% endmacro %}

{% macro bigquery__timestamp_type() %}{{ return('DATETIME') }}{% endmacro %}


{% macro bigquery__wider_dtype(have, want) %}
    {% set order = ['numeric', 'bignumeric', 'double'] %}
    {{ return(want.dtype if have.family in order and order.index(want.family) > order.index(have.family) else have.dtype) }}
{% endmacro %}


{% macro bigquery__tested_text(column_name) %}{{ return('collate(cast(' ~ column_name ~ " as STRING), '')") }}{% endmacro %}

{#- A raw literal, so that backslashes reach the pattern. `$` only matches the end of the text. -#}
{% macro bigquery__full_match(expression, pattern) %}{{ return('regexp_contains(' ~ expression ~ ", r'^(?:" ~ pattern ~ ")$')") }}{% endmacro %}

{% macro bigquery__blank_characters() %}{{ return('\\s\\pZ\\x00-\\x1f\\x7f-\\x9f\\x{feff}') }}{% endmacro %}

{% macro bigquery__control_characters() %}{{ return('\\x00-\\x1f\\x7f-\\x9f\\x{2028}\\x{2029}') }}{% endmacro %}

{% macro bigquery__invisible_characters() %}{{ return('\\x{ad}\\x{180e}\\x{200b}-\\x{200f}\\x{202a}-\\x{202e}\\x{2060}-\\x{206f}') }}{% endmacro %}


{% macro bigquery__folded_text(expression) %}
    {{ return("regexp_replace(normalize_and_casefold(" ~ expression ~ "), r'[" ~ dbt_batch_sync.blank_characters() ~ dbt_batch_sync.invisible_characters() ~ "]', '')") }}
{% endmacro %}


{% macro bigquery__double_type() %}{{ return('FLOAT64') }}{% endmacro %}

{% macro bigquery__utc_now() %}{{ return("datetime(current_timestamp(), 'UTC')") }}{% endmacro %}

{% macro bigquery__seconds_ago(seconds) %}{{ return(dbt_batch_sync.utc_now() ~ ' - interval ' ~ seconds ~ ' second') }}{% endmacro %}
{% macro bigquery__seconds_after(moment, seconds) %}{{ return(moment ~ ' + interval ' ~ seconds ~ ' second') }}{% endmacro %}

{% macro bigquery__page_expression(id) %}{{ return('abs(mod(farm_fingerprint(coalesce(' ~ id ~ ", '')), " ~ dbt_batch_sync.buckets() ~ '))') }}{% endmacro %}

{#- A merge finds keys, and a push finds pages, without scanning (and paying for) the rest. -#}
{% macro bigquery__snapshot_defaults(key) %}{{ return({'cluster_by': [key]}) }}{% endmacro %}
{% macro bigquery__delta_defaults(key) %}{{ return({'cluster_by': ['_batch_page']}) }}{% endmacro %}

{#- A dataset's default expiration would delete the state, and every profile would be sent again. -#}
{% macro bigquery__keep_for_ever(relation) %}{% do run_query('alter table ' ~ relation ~ ' set options (expiration_timestamp = null)') %}{% endmacro %}

{% macro bigquery__create_ledger_table_sql(table, columns) -%}
    {{ dbt_batch_sync.default__create_ledger_table_sql(table, columns) }} options (expiration_timestamp = null)
{%- endmacro %}

{% macro bigquery__create_view_sql(view, query) %}
    {{ return('create or replace view ' ~ view.render() ~ ' options (expiration_timestamp = null) as ' ~ query) }}
{% endmacro %}

{#- Literals contain escape sequences. -#}
{% macro bigquery__key_literal(key) %}{{ return("'" ~ (key | replace('\\', '\\\\') | replace("'", "\\'") | replace('\n', '\\n') | replace('\r', '\\r')) ~ "'") }}{% endmacro %}

{% macro bigquery__converted(expression, have, dtype, widens) %}{{ return('safe_cast(cast(' ~ expression ~ ' as STRING) as ' ~ dtype ~ ')') }}{% endmacro %}

{#- Changing NUMERIC to BIGNUMERIC only changes metadata. BigQuery rejects other changes, or some cases of them, so the table is rewritten
    in one statement. Types that can't be cast directly are cast by way of text. -#}
{% macro bigquery__change_types(relation, changes) %}
    {% set notes, others = [], [] %}
    {% for change in changes %}
        {% if change.widens and change.dtype == 'BIGNUMERIC' %}
            {% do notes.append('alter column ' ~ dbt_batch_sync.column(change.name) ~ ' set data type ' ~ change.dtype) %}
        {% else %}
            {% do others.append(change) %}
        {% endif %}
    {% endfor %}
    {% if notes %}{% do run_query('alter table ' ~ relation ~ ' ' ~ notes | join(', ')) %}{% endif %}
    {% if others %}
        {% do run_query(dbt_batch_sync.replaced_table_sql(relation, others)) %}
        {% do dbt_batch_sync.keep_for_ever(relation) %}
    {% endif %}
{% endmacro %}

{#- Every statement is committed at once. -#}
{% macro bigquery__commit_hook() %}{% endmacro %}

{#- Billed as the minimum of 10 MB, once for each snapshot. -#}
{% macro bigquery__default_collation(relation) %}
    {% set columns = '`' ~ relation.database ~ '`.`' ~ relation.schema ~ '`.INFORMATION_SCHEMA.COLUMNS' %}
    {% set collated = " where table_name = '" ~ relation.identifier ~ "' and collation_name not in ('NULL', '')" %}
    {% for row in run_query('select collation_name from ' ~ columns ~ collated).rows %}{{ return(row[0]) }}{% endfor %}
    {{ return('') }}
{% endmacro %}

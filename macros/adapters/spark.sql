{#- Spark 3.4 and later (for `timestamp_ntz`), with Delta or Iceberg tables, which have MERGE, UPDATE and DELETE. -#}
{% macro spark__storage_problem(node) %}
    {% set file_format = node.config.get('file_format') %}
    {% if file_format in ('delta', 'iceberg') %}{{ return('') }}{% endif %}
    {{ return(
        "`" ~ node.name ~ "` has the file_format " ~ (file_format or 'of the server (often parquet)')
        ~ ", whose tables may have no MERGE, UPDATE and DELETE. Accepted: delta, iceberg; set `+file_format` for it in dbt_project.yml"
    ) }}
{% endmacro %}


{#- Doesn't use dbt's list of a schema, which lacks tables of catalogs that Spark's own catalog doesn't know. A snapshot that is not found
    would be replaced. -#}
{% macro spark__existing_table(database, schema, identifier) %}
    {% set table = api.Relation.create(schema=schema, identifier=identifier, type='table') %}
    {{ return(table if adapter.get_columns_in_relation(table) else none) }}
{% endmacro %}


{#- With `--empty`, a reference is a limited select, but `describe` needs a name. -#}
{% macro spark__columns_of(relation) %}
    {{ return(adapter.get_columns_in_relation(api.Relation.create(schema=relation.schema, identifier=relation.identifier, type=relation.type))) }}
{% endmacro %}


{% macro spark__column(name) %}{{ return(adapter.quote(name | replace('`', '``'))) }}{% endmacro %}


{% macro spark__column_kind(column) %}
    {% set type = column.dtype | lower %}
    {% if type in ('tinyint', 'smallint', 'int', 'bigint') %}
        {{ return({'type': 'integer', 'family': 'integer', 'dtype': 'bigint', 'precision': 19, 'scale': 0}) }}
    {% elif type.startswith('decimal(') %}
        {% set size = type[8:].split(')')[0].split(',') %}
        {% set precision, scale = size[0] | int, size[1] | int %}
        {{ return({'type': 'float' if scale else 'integer', 'family': 'decimal', 'dtype': 'decimal(' ~ precision ~ ',' ~ scale ~ ')', 'precision': precision, 'scale': scale}) }}
    {% elif type in ('float', 'double') %}
        {{ return({'type': 'float', 'family': 'double', 'dtype': 'double'}) }}
    {% elif type == 'boolean' %}
        {{ return({'type': 'boolean', 'family': 'boolean', 'dtype': 'boolean'}) }}
    {% elif type == 'date' %}
        {{ return({'type': 'date', 'family': 'date', 'dtype': 'date'}) }}
    {% elif type in ('timestamp', 'timestamp_ntz') %}
        {{ return({'type': 'date', 'family': 'timestamp', 'dtype': 'timestamp_ntz'}) }}
    {% elif type.split('(')[0].split(' ')[0] in ('string', 'varchar', 'char') %}
        {{ return({'type': 'string', 'family': 'text', 'dtype': 'string'}) }}
    {% elif type.startswith('array<') and type[6:-1].split('(')[0].split(' ')[0] in ('string', 'varchar', 'char') %}
        {{ return({'type': 'string_array', 'family': 'array', 'dtype': 'array<string>'}) }}
    {% elif type.split('<')[0] in ('array', 'map', 'struct', 'variant') %}
        {{ return({'type': 'json', 'family': 'json', 'dtype': 'string'}) }}
    {% endif %}
    {{ return(none) }}
{% endmacro %}


{#- Converts an instant to UTC by its microseconds. A cast would use the session's time zone, in which an hour repeats every autumn. An
    interval holds every value; `timestampadd` takes an `int` before Spark 4, which overflows after 35 minutes. -#}
{% macro spark__array_type() %}{{ return('array<string>') }}{% endmacro %}


{% macro spark__value_of(column, kind) %}
    {% set name = dbt_batch_sync.column(column.name) %}
    {% if column.dtype | lower == 'timestamp' %}
        {{ return("timestamp_ntz'1970-01-01 00:00:00' + unix_micros(" ~ name ~ ") * interval '0.000001' second") }}
    {% elif column.dtype | lower == 'float' %}
        {#- Uses the shortest text that represents the value at its own width: 0.1, not 0.10000000149011612. -#}
        {% set name = 'cast(' ~ name ~ ' as string)' %}
    {% endif %}
    {{ return('cast(' ~ name ~ ' as ' ~ kind.dtype ~ ')') }}
{% endmacro %}


{#- Maps can't be compared, and casting one doesn't give JSON. -#}
{% macro spark__text_of(column, kind) %}
    {% if kind.type == 'json' %}{{ return('to_json(' ~ dbt_batch_sync.column(column.name) ~ ')') }}{% endif %}
    {{ return(dbt_batch_sync.default__text_of(column, kind)) }}
{% endmacro %}


{% macro spark__empty_as_null(expression, type) %}
    {% if type == 'string_array' %}
        {{ return('case when size(' ~ expression ~ ') > 0 then ' ~ expression ~ ' end') }}
    {% endif %}
    {{ return(dbt_batch_sync.default__empty_as_null(expression, type)) }}
{% endmacro %}


{% macro spark__text_type() %}{{ return('string') }}{% endmacro %}


{#- Spark's `timestamp` is an instant: without a zone, the text would be read in the session's time zone. -#}
{% macro spark__utc_timestamp(text) %}
    {{ return('cast(' ~ dbt.string_literal(text ~ 'Z') ~ ' as timestamp)') }}
{% endmacro %}


{#- An instant: Databricks' driver gives it in the session's zone, and Spark in that of this process, without saying so. -#}
{% macro spark__moment_of(cell) %}{{ return(cell.astimezone(modules.pytz.utc).replace(tzinfo=none)) }}{% endmacro %}


{#- Compared with decimals, a bigint is a decimal of 19 digits. -#}
{% macro spark__wider_dtype(have, want) %}
    {% if have.family != want.family and have.precision is defined and want.precision is defined %}
        {% set have, want = dict(have, family='decimal'), dict(want, family='decimal') %}
    {% endif %}
    {{ return(dbt_batch_sync.default__wider_dtype(have, want)) }}
{% endmacro %}


{#- A raw literal is the same under every parser setting. `$` would also match before a trailing line break. -#}
{% macro spark__full_match(expression, pattern) %}{{ return("(" ~ expression ~ " rlike r'\\A(?:" ~ pattern ~ ")\\z')") }}{% endmacro %}

{% macro spark__blank_characters() %}{{ return('\\s\\p{Z}\\x00-\\x1f\\x7f-\\x9f\\x{feff}') }}{% endmacro %}

{% macro spark__control_characters() %}{{ return('\\x00-\\x1f\\x7f-\\x9f\\x{2028}\\x{2029}') }}{% endmacro %}

{% macro spark__invisible_characters() %}{{ return('\\x{ad}\\x{180e}\\x{200b}-\\x{200f}\\x{202a}-\\x{202e}\\x{2060}-\\x{206f}') }}{% endmacro %}


{% macro spark__utc_now() %}{{ return('current_timestamp()') }}{% endmacro %}

{% macro spark__seconds_ago(seconds) %}{{ return(dbt_batch_sync.utc_now() ~ ' - interval ' ~ seconds ~ ' seconds') }}{% endmacro %}
{% macro spark__seconds_after(moment, seconds) %}{{ return(moment ~ ' + interval ' ~ seconds ~ ' seconds') }}{% endmacro %}

{% macro spark__page_expression(id) %}{{ return('cast(abs(hash(coalesce(' ~ id ~ ", '')) % " ~ dbt_batch_sync.buckets() ~ ') as bigint)') }}{% endmacro %}

{#- So that each file contains a range of pages. -#}
{% macro spark__delta_order() %}{{ return('order by ' ~ dbt_batch_sync.column('_batch_page')) }}{% endmacro %}

{% macro spark__hashed_text(expression, dtype) %}
    {{ return('to_json(' ~ expression ~ ')' if (dtype or '').startswith('array') else dbt_batch_sync.default__hashed_text(expression, dtype)) }}
{% endmacro %}

{% macro spark__key_literal(key) %}{{ return("'" ~ (key | replace('\\', '\\\\') | replace("'", "\\'")) ~ "'") }}{% endmacro %}

{#- A Delta or Iceberg table, like the snapshot. -#}
{% macro spark__create_ledger_table_sql(table, columns) -%}
    {{ dbt_batch_sync.default__create_ledger_table_sql(table, columns) }} using {{ dbt_batch_sync.ledger_format() }}
{%- endmacro %}

{#- Delta and Iceberg change only a few types in place, and not the same ones. The table replaces itself in one commit. -#}
{% macro spark__change_types(relation, changes) %}{% do run_query(dbt_batch_sync.replaced_table_sql(relation, changes)) %}{% endmacro %}

{#- In Delta, timestamps without a zone need a table feature, which adding a column doesn't enable. -#}
{% macro spark__add_columns(relation, columns) %}
    {% if columns | map(attribute='dtype') | map('lower') | select('equalto', 'timestamp_ntz') | list and dbt_batch_sync.ledger_format() == 'delta' %}
        {% do run_query('alter table ' ~ relation ~ " set tblproperties ('delta.feature.timestampNtz' = 'supported')") %}
    {% endif %}
    {% do dbt_batch_sync.default__add_columns(relation, columns) %}
{% endmacro %}

{#- The format of the snapshot tables. -#}
{% macro ledger_format() %}
    {% for node in graph.nodes.values() if node.config.materialized == 'sent_snapshot' %}{{ return(node.config.get('file_format') or 'delta') }}{% endfor %}
    {{ return('delta') }}
{% endmacro %}

{#- Delta's DELETE doesn't accept subqueries. -#}
{% macro spark__delete_rows_sql(table, key, query, condition) %}
    {{ return('merge into ' ~ table ~ ' as t using (' ~ query ~ ') as gone on t.' ~ key ~ ' = gone.row_id' ~ (' and t.' ~ condition if condition else '') ~ ' when matched then delete') }}
{% endmacro %}

{#- Every statement is committed at once. -#}
{% macro spark__commit_hook() %}{% endmacro %}

{% macro spark__inserts_name_all_columns() %}{{ return(true) }}{% endmacro %}

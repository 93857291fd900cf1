{#- DuckDB. Texts are compared by their bytes: under a column's collation, different texts may be equal. Sums of integers are HUGEINT, so wide
    integers are kept as decimals. Numbers of more than 38 digits are rejected anyway, so they are cut to the largest decimal, which is
    rejected too. -#}
{% macro duckdb__column_kind(column) %}
    {% set type = column.dtype | upper %}
    {% if type.endswith(']') %}
        {% set item = type.split('[')[0] %}
        {{ return({'type': 'string_array', 'family': 'array', 'dtype': 'VARCHAR[]'} if type.count('[') == 1 and (item in ('VARCHAR', 'UUID', '"NULL"') or item.startswith('ENUM')) else none) }}
    {% elif type == 'VARCHAR' or type == 'UUID' or type.startswith('ENUM') %}
        {{ return({'type': 'string', 'family': 'text', 'dtype': 'VARCHAR'}) }}
    {% elif type in ('TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'UTINYINT', 'USMALLINT', 'UINTEGER') %}
        {{ return({'type': 'integer', 'family': 'integer', 'dtype': 'BIGINT'}) }}
    {% elif type in ('HUGEINT', 'UHUGEINT', 'UBIGINT') %}
        {{ return({'type': 'integer', 'family': 'decimal', 'dtype': 'DECIMAL(38,0)', 'precision': 38, 'scale': 0}) }}
    {% elif type.startswith('DECIMAL(') %}
        {% set size = type[8:].split(')')[0].split(',') %}
        {% set scale = size[1] | int %}
        {{ return({'type': 'float' if scale else 'integer', 'family': 'decimal', 'dtype': 'DECIMAL(' ~ (size[0] | int) ~ ',' ~ scale ~ ')', 'precision': size[0] | int, 'scale': scale}) }}
    {% elif type in ('FLOAT', 'DOUBLE') %}
        {{ return({'type': 'float', 'family': 'double', 'dtype': 'DOUBLE'}) }}
    {% elif type == 'BOOLEAN' %}
        {{ return({'type': 'boolean', 'family': 'boolean', 'dtype': 'BOOLEAN'}) }}
    {% elif type == 'DATE' %}
        {{ return({'type': 'date', 'family': 'date', 'dtype': 'DATE'}) }}
    {% elif type.startswith('TIMESTAMP') %}
        {{ return({'type': 'date', 'family': 'timestamp', 'dtype': 'TIMESTAMP'}) }}
    {% elif type == 'JSON' %}
        {{ return({'type': 'json', 'family': 'json', 'dtype': 'VARCHAR'}) }}
    {% elif type == '"NULL"' %}
        {{ return({'type': 'null', 'family': 'text', 'dtype': 'VARCHAR'}) }}
    {% endif %}
    {{ return(none) }}
{% endmacro %}


{% macro duckdb__value_of(column, kind) %}
    {% set name = dbt_batch_sync.model_column(column.name) %}
    {% set type = column.dtype | upper %}
    {% if type in ('HUGEINT', 'UHUGEINT') %}
        {#- No least() and greatest(): they ignore nulls and would turn a null into a number. -#}
        {% set limit = 'cast(' ~ '9' * 38 ~ ' as ' ~ type ~ ')' %}
        {% set below = ' when ' ~ name ~ ' < -' ~ limit ~ ' then -' ~ limit if type == 'HUGEINT' else '' %}
        {% set name = 'case when ' ~ name ~ ' > ' ~ limit ~ ' then ' ~ limit ~ below ~ ' else ' ~ name ~ ' end' %}
    {% elif type == 'TIMESTAMP WITH TIME ZONE' %}
        {% set name = name ~ " at time zone 'UTC'" %}
    {% elif type == 'FLOAT' %}
        {#- Uses the shortest text that represents the value at its own width: 0.1, not 0.10000000149011612. -#}
        {% set name = 'cast(' ~ name ~ ' as VARCHAR)' %}
    {% endif %}
    {% set value = 'cast(' ~ name ~ ' as ' ~ kind.dtype ~ ')' %}
    {{ return(value ~ ' collate posix' if kind.family == 'text' else value) }}
{% endmacro %}


{% macro duckdb__identifier_expression(identifier) %}
    {{ return(dbt_batch_sync.default__identifier_expression(identifier) ~ ' collate posix') }}
{% endmacro %}


{% macro duckdb__empty_as_null(expression, type) %}
    {% if type == 'string_array' %}
        {{ return('case when len(' ~ expression ~ ') > 0 then ' ~ expression ~ ' end') }}
    {% endif %}
    {{ return(dbt_batch_sync.default__empty_as_null(expression, type)) }}
{% endmacro %}


{% macro duckdb__text_type() %}{{ return('VARCHAR') }}{% endmacro %}


{#- With DuckDB's default compression, texts that differ in every row take most of the time of a commit. With zstd for three columns, a
    million profiles take a quarter less CPU time and the same space. Files in a format older than DuckDB 1.2 don't support it. -#}
{% macro duckdb__create_snapshot_sql(relation, sql) %}
    {% set version = dbt_batch_sync.storage_version(relation.database) %}
    {% if version < [1, 2] %}
        {{ return(dbt_batch_sync.default__create_snapshot_sql(relation, sql)) }}
    {% endif %}
    {% set columns = [] %}
    {% for row in run_query('describe ' ~ sql).rows %}
        {% set collation = ' collate posix' if loop.first else '' %}
        {% set compression = ' using compression zstd' if loop.first or row[0] in ('batch__email_address', 'batch__phone_number') else '' %}
        {% do columns.append(dbt_batch_sync.column(row[0]) ~ ' ' ~ row[1] ~ collation ~ compression) %}
    {% endfor %}
    {{ return('create table ' ~ relation ~ ' (' ~ columns | join(', ') ~ ')') }}
{% endmacro %}


{#- The major and minor DuckDB version that a database file is written for. Empty if the database is not a DuckDB file. -#}
{% macro storage_version(database) %}
    {% set found = run_query("select tags['storage_version'] from duckdb_databases() where type = 'duckdb' and database_name = " ~ dbt.string_literal(database)) %}
    {% set version = found.rows[0][0] if found and found.rows else none %}
    {{ return((version[1:].split('+')[0].split('.')[:2] | map('int') | list) if version else []) }}
{% endmacro %}


{% macro duckdb__stored_null(dtype, is_key) %}
    {{ return('cast(null as ' ~ dtype ~ ')' ~ (' collate posix' if is_key else '')) }}
{% endmacro %}

{% macro duckdb__ledger_text_type() %}{{ return('VARCHAR collate posix') }}{% endmacro %}

{% macro duckdb__tested_text(column_name) %}{{ return('cast(' ~ column_name ~ ' as VARCHAR) collate posix') }}{% endmacro %}

{% macro duckdb__full_match(expression, pattern) %}{{ return("regexp_full_match(" ~ expression ~ ", '" ~ pattern ~ "')") }}{% endmacro %}

{% macro duckdb__blank_characters() %}{{ return('\\s\\pZ\\x00-\\x1f\\x7f-\\x9f\\x{feff}') }}{% endmacro %}

{% macro duckdb__control_characters() %}{{ return('\\x00-\\x1f\\x7f-\\x9f\\x{2028}\\x{2029}') }}{% endmacro %}

{% macro duckdb__invisible_characters() %}{{ return('\\x{ad}\\x{180e}\\x{200b}-\\x{200f}\\x{202a}-\\x{202e}\\x{2060}-\\x{206f}') }}{% endmacro %}


{% macro duckdb__folded_text(expression) %}
    {{ return("regexp_replace(lower(nfc_normalize(" ~ expression ~ ")), '[" ~ dbt_batch_sync.blank_characters() ~ dbt_batch_sync.invisible_characters() ~ "]', '', 'g')") }}
{% endmacro %}


{% macro duckdb__utc_now() %}{{ return("cast(now() at time zone 'UTC' as timestamp)") }}{% endmacro %}

{% macro duckdb__page_expression(id) %}{{ return('(row_number() over () - 1) // 1000') }}{% endmacro %}

{% macro duckdb__converted(expression, have, dtype, widens) %}{{ return('try_cast(' ~ expression ~ ' as ' ~ dtype ~ ')') }}{% endmacro %}

{#- One `alter` changes one column. -#}
{% macro duckdb__change_types(relation, changes) %}
    {% for change in changes %}{% do dbt_batch_sync.default__change_types(relation, [change]) %}{% endfor %}
{% endmacro %}

{% macro duckdb__merge_statements(snapshot, source, columns, names, retyped, built, progress, in_doubt) %}
    {{ return(dbt_batch_sync.replacing_statements(snapshot, source, columns, names, retyped, built, progress, in_doubt)) }}
{% endmacro %}

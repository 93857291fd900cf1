{#- Redshift. dbt falls back to PostgreSQL's macros, but Redshift lacks many of its features. Source:
    https://docs.aws.amazon.com/redshift/latest/dg/. -#}
{% macro redshift__columns_of(relation) %}{{ return(adapter.get_columns_in_relation(relation)) }}{% endmacro %}


{#- `text` is limited to 256 bytes, and arrays are a kind of `super`, which has no Batch type unless the mapping gives one. Queries keep values
    at their declared length, so a text has one near its column's; a few lengths, so that it seldom changes. -#}
{% macro redshift__column_kind(column) %}
    {% set type = column.data_type | lower %}
    {% set name = type.split('(')[0] %}
    {% if name in ('character varying', 'varchar', 'nvarchar', 'text', 'character', 'char', 'nchar', 'bpchar', 'name') %}
        {#- Not from `data_type`, which has a length of 256 where there is none. -#}
        {% set length = column.char_size or (column.dtype ~ '(65535)').split('(')[1].split(')')[0] | int %}
        {% set length = [256, 1024, 4096, 16384, 65535] | select('ge', length) | first %}
        {{ return({'type': 'string', 'family': 'text', 'dtype': 'varchar(' ~ length ~ ')', 'length': length}) }}
    {% elif type in ('smallint', 'integer', 'bigint') %}
        {{ return({'type': 'integer', 'family': 'integer', 'dtype': 'bigint', 'precision': 19, 'scale': 0}) }}
    {% elif name in ('numeric', 'decimal') %}
        {% set size = (type ~ '(18,0)').split('(')[1].split(')')[0].split(',') %}
        {% set precision, scale = size[0] | int, size[1] | int %}
        {{ return({'type': 'float' if scale else 'integer', 'family': 'decimal', 'dtype': 'numeric(' ~ precision ~ ',' ~ scale ~ ')', 'precision': precision, 'scale': scale}) }}
    {% elif type in ('real', 'double precision') %}
        {{ return({'type': 'float', 'family': 'double', 'dtype': 'double precision'}) }}
    {% elif type == 'boolean' %}
        {{ return({'type': 'boolean', 'family': 'boolean', 'dtype': 'boolean'}) }}
    {% elif type == 'date' %}
        {{ return({'type': 'date', 'family': 'date', 'dtype': 'date'}) }}
    {% elif type.startswith('timestamp') %}
        {{ return({'type': 'date', 'family': 'timestamp', 'dtype': 'timestamp'}) }}
    {% elif type == 'super' %}
        {{ return({'type': 'json', 'family': 'json', 'dtype': 'varchar(65535)'}) }}
    {% endif %}
    {{ return(none) }}
{% endmacro %}


{% macro redshift__value_of(column, kind) %}
    {% set name = dbt_batch_sync.model_column(column.name) %}
    {% set type = column.data_type | lower %}
    {% if type.endswith('with time zone') or type == 'timestamptz' %}{% set name = name ~ " at time zone 'UTC'" %}{% endif %}
    {% set value = 'cast(' ~ name ~ ' as ' ~ kind.dtype ~ ')' %}
    {{ return(dbt_batch_sync.case_sensitive(value) if kind.family == 'text' else value) }}
{% endmacro %}

{#- A column can have a collation under which texts that differ in case are equal. -#}
{% macro case_sensitive(value) %}{{ return('collate(' ~ value ~ ", 'case_sensitive')") }}{% endmacro %}


{#- A boolean can't be cast to text, and casting `super` only keeps texts. -#}
{% macro redshift__text_of(column, kind) %}
    {% if kind.type == 'json' %}
        {{ return('json_serialize(' ~ dbt_batch_sync.model_column(column.name) ~ ')') }}
    {% elif kind.type == 'boolean' %}
        {% set value = dbt_batch_sync.model_column(column.name) %}
        {{ return('cast(case when ' ~ value ~ " then 'true' when not " ~ value ~ " then 'false' end as " ~ dbt_batch_sync.text_type() ~ ')') }}
    {% endif %}
    {{ return(dbt_batch_sync.default__text_of(column, kind)) }}
{% endmacro %}


{% macro redshift__identifier_expression(identifier) %}
    {{ return(dbt_batch_sync.case_sensitive(dbt_batch_sync.default__identifier_expression(identifier))) }}
{% endmacro %}


{% macro redshift__empty_as_null(expression, type) %}
    {% if expression.startswith('json_serialize(') %}
        {{ return('nullif(' ~ expression ~ ", '[]')") }}
    {% elif type == 'string' %}
        {{ return('case when length(' ~ expression ~ ') > 0 then ' ~ expression ~ ' end') }}
    {% endif %}
    {{ return(expression) }}
{% endmacro %}


{#- A cast without a length truncates at 256 bytes. -#}
{% macro redshift__text_type() %}{{ return('varchar(65535)') }}{% endmacro %}

{#- 512 characters, so that longer identifiers still are too long. -#}
{% macro redshift__identifier_type() %}{{ return('varchar(2048)') }}{% endmacro %}

{#- Long enough for the names of a mapping's attributes (at most 50), and for reasons. -#}
{% macro redshift__own_text_type() %}{{ return('varchar(4096)') }}{% endmacro %}
{% macro redshift__ledger_text_type() %}{{ return(dbt_batch_sync.own_text_type()) }}{% endmacro %}


{#- There is no `is distinct from`. Texts that only differ in trailing spaces are equal, so lengths are compared too. -#}
{% macro redshift__is_distinct(a, b, dtype) -%}
    case when {{ a }} = {{ b }}
    {%- if dtype.startswith('varchar') %} and length({{ a }}) = length({{ b }}){% endif %} or ({{ a }} is null and {{ b }} is null) then 0 else 1 end = 1
{%- endmacro %}


{% macro redshift__wider_dtype(have, want) %}
    {% set sized = ['integer', 'decimal'] %}
    {% if have.family != want.family and have.family in sized and want.family in sized %}
        {% set have, want = dict(have, family='decimal'), dict(want, family='decimal') %}
    {% elif have.length and want.length %}
        {{ return((want if want.length > have.length else have).dtype) }}
    {% endif %}
    {{ return(dbt_batch_sync.default__wider_dtype(have, want)) }}
{% endmacro %}


{% macro redshift__tested_text(column_name) %}{{ return(dbt_batch_sync.case_sensitive(dbt_batch_sync.default__tested_text(column_name))) }}{% endmacro %}

{#- POSIX operators, without non-capturing groups. -#}
{% macro redshift__full_match(expression, pattern) %}{{ return("(" ~ expression ~ " ~ '^(" ~ pattern ~ ")$')") }}{% endmacro %}

{#- A backslash is doubled. The contents of classes beyond ASCII are not documented; blanks are matched by their class. -#}
{% macro redshift__blank_characters() %}{{ return('[:space:]') }}{% endmacro %}

{% macro redshift__control_characters() %}{{ return('[:cntrl:]') }}{% endmacro %}

{% macro redshift__invisible_characters() %}{{ return('') }}{% endmacro %}


{% macro redshift__utc_now() %}{{ return('cast(getdate() as timestamp)') }}{% endmacro %}

{% macro redshift__seconds_ago(seconds) %}{{ return('dateadd(second, -' ~ seconds ~ ', ' ~ dbt_batch_sync.utc_now() ~ ')') }}{% endmacro %}
{% macro redshift__seconds_after(moment, seconds) %}{{ return('dateadd(second, ' ~ seconds ~ ', ' ~ moment ~ ')') }}{% endmacro %}

{% macro redshift__page_expression(id) %}{{ return('mod(abs(cast(checksum(coalesce(' ~ id ~ ", '')) as bigint)), " ~ dbt_batch_sync.buckets() ~ ')') }}{% endmacro %}

{#- A boolean can't be cast to text. -#}
{% macro redshift__hashed_text(expression, dtype) %}
    {% set value = 'case when ' ~ expression ~ " then 'true' when not " ~ expression ~ " then 'false' end" if dtype == 'boolean' else expression %}
    {{ return(dbt_batch_sync.default__hashed_text(value, dtype)) }}
{% endmacro %}

{#- A backslash starts an escape sequence in a literal. -#}
{% macro redshift__key_literal(key) %}{{ return("'" ~ (key | replace('\\', '\\\\') | replace("'", "''")) ~ "'") }}{% endmacro %}

{#- dbt's own casts to `text` truncate at 256 bytes: a change after that would leave a row parked. -#}
{% macro redshift__md5_of(expression) %}{{ return('md5(' ~ expression ~ ')') }}{% endmacro %}

{#- A snapshot and its delta are distributed by key; a delta is sorted by page. -#}
{% macro redshift__snapshot_defaults(key) %}{{ return({'dist': key, 'sort': key}) }}{% endmacro %}
{% macro redshift__delta_defaults(key) %}{{ return({'dist': key, 'sort': '_batch_page'}) }}{% endmacro %}

{% macro redshift__stored_null(dtype, is_key) %}{{ return('cast(null as ' ~ dtype ~ ')') }}{% endmacro %}

{% macro redshift__lock_ledger() %}{% endmacro %}

{#- MERGE doesn't accept subqueries. -#}
{% macro redshift__merge_statements(snapshot, source, columns, names, retyped, built, progress, in_doubt) %}
    {{ return(dbt_batch_sync.replacing_statements(snapshot, source, columns, names, retyped, built, progress, in_doubt)) }}
{% endmacro %}
{% macro redshift__doubt_statements(snapshot, key, source, names, unknown) %}{{ return(dbt_batch_sync.updating_doubt_statements(snapshot, key, source, names, unknown)) }}{% endmacro %}
{% macro redshift__update_rejects_sql(rejects, open, query) %}{{ return(dbt_batch_sync.updating_rejects_sql(rejects, open, query)) }}{% endmacro %}


{#- Only the length of a text can be changed in place. Otherwise, new columns replace the old ones, in the model's transaction. -#}
{% macro redshift__change_types(relation, changes) %}
    {% set table = 'alter table ' ~ relation %}
    {% for change in changes %}
        {% set old, new = dbt_batch_sync.column(change.name), dbt_batch_sync.column('_batch_retyped') %}
        {% do run_query(table ~ ' add column ' ~ new ~ ' ' ~ change.dtype) %}
        {% do run_query('update ' ~ relation ~ ' set ' ~ new ~ ' = ' ~ dbt_batch_sync.converted(old, change.have, change.dtype, change.widens) ~ ' where ' ~ old ~ ' is not null') %}
        {% do run_query(table ~ ' drop column ' ~ old) %}
        {% do run_query(table ~ ' rename column ' ~ new ~ ' to ' ~ old) %}
    {% endfor %}
{% endmacro %}

{% macro redshift__converted(expression, have, dtype, widens) %}
    {% set to_text = dtype.startswith('varchar') %}
    {% if to_text and have is not none and have.type == 'boolean' %}{{ return(dbt_batch_sync.hashed_text(expression, 'boolean')) }}{% endif %}
    {{ return(dbt_batch_sync.default__converted(expression, have, dtype, widens or to_text)) }}
{% endmacro %}

{#- The planner joins by hash or merge, whatever its statistics. -#}
{% macro redshift__refresh_statistics(table) %}{% endmacro %}

{#- A database can have one. -#}
{% macro redshift__default_collation(relation) %}
    {% for row in run_query("select db_collation() where db_collation() <> 'case_sensitive'").rows %}{{ return(row[0]) }}{% endfor %}
    {{ return('') }}
{% endmacro %}

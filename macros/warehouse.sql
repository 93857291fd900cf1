{#- What differs between warehouses, one macro each. An adapter without an implementation raises a compile error. -#}

{% macro unsupported() %}
    {{ exceptions.raise_compiler_error("dbt_batch_sync does not support the adapter `" ~ adapter.type() ~ "`. Supported: duckdb, postgres, redshift, snowflake, bigquery, databricks, spark") }}
{% endmacro %}


{#- The columns of a relation with types that `column_kind` knows. Empty if there is no such relation. -#}
{% macro columns_of(relation) %}{{ return(adapter.dispatch('columns_of', 'dbt_batch_sync')(relation)) }}{% endmacro %}
{% macro default__columns_of(relation) %}{{ return(adapter.get_columns_in_relation(relation)) }}{% endmacro %}


{#- The table as it is in the warehouse. None if there is no such table. -#}
{% macro existing_table(database, schema, identifier) %}
    {{ return(adapter.dispatch('existing_table', 'dbt_batch_sync')(database, schema, identifier)) }}
{% endmacro %}
{% macro default__existing_table(database, schema, identifier) %}
    {{ return(adapter.get_relation(database=database, schema=schema, identifier=identifier)) }}
{% endmacro %}


{#- One of our columns as SQL, in the case of an unquoted name. dbt's own quoting doesn't escape quotes in a name. -#}
{% macro column(name) %}{{ return(adapter.dispatch('column', 'dbt_batch_sync')(name)) }}{% endmacro %}
{% macro default__column(name) %}{{ return(adapter.quote(name | replace('"', '""'))) }}{% endmacro %}


{#- A column of a sync as SQL, with the exact name that the warehouse reports. -#}
{% macro model_column(name) %}{{ return(adapter.dispatch('model_column', 'dbt_batch_sync')(name)) }}{% endmacro %}
{% macro default__model_column(name) %}{{ return(dbt_batch_sync.column(name)) }}{% endmacro %}


{#- The name of one of our tables or columns, as the warehouse reports it. -#}
{% macro reported_name(name) %}{{ return(adapter.dispatch('reported_name', 'dbt_batch_sync')(name)) }}{% endmacro %}
{% macro default__reported_name(name) %}{{ return(name) }}{% endmacro %}


{#- {type, family, dtype} of a warehouse column: its Batch type (or `json`), the group of types that it can be widened within, and its type
    in the snapshot. None if Batch has no such type. -#}
{% macro column_kind(column) %}{{ return(adapter.dispatch('column_kind', 'dbt_batch_sync')(column)) }}{% endmacro %}
{% macro default__column_kind(column) %}{{ dbt_batch_sync.unsupported() }}{% endmacro %}


{#- A column's value in the type of `column_kind`. Instants become UTC without a zone. -#}
{% macro value_of(column, kind) %}{{ return(adapter.dispatch('value_of', 'dbt_batch_sync')(column, kind)) }}{% endmacro %}
{% macro default__value_of(column, kind) %}{{ dbt_batch_sync.unsupported() }}{% endmacro %}


{#- A column's value as text, for `type: string` on another type. -#}
{% macro text_of(column, kind) %}{{ return(adapter.dispatch('text_of', 'dbt_batch_sync')(column, kind)) }}{% endmacro %}
{% macro default__text_of(column, kind) -%}
    {{ return('cast(' ~ (dbt_batch_sync.model_column(column.name) if kind.type == 'json' else dbt_batch_sync.value_of(column, kind)) ~ ' as ' ~ dbt_batch_sync.text_type() ~ ')') }}
{%- endmacro %}


{#- Turns empty texts and arrays into nulls: Batch has neither, and `keep` must not lose the value it holds. -#}
{% macro empty_as_null(expression, type) %}{{ return(adapter.dispatch('empty_as_null', 'dbt_batch_sync')(expression, type)) }}{% endmacro %}
{% macro default__empty_as_null(expression, type) %}
    {{ return("nullif(" ~ expression ~ ", '')" if type == 'string' else expression) }}
{% endmacro %}


{% macro text_type() %}{{ return(adapter.dispatch('text_type', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__text_type() %}{{ return(api.Column.translate_type('string')) }}{% endmacro %}

{#- The type of a snapshot's or delta's key. -#}
{% macro identifier_type() %}{{ return(adapter.dispatch('identifier_type', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__identifier_type() %}{{ return(dbt_batch_sync.text_type()) }}{% endmacro %}

{#- The type of texts that aren't values of a model. -#}
{% macro own_text_type() %}{{ return(adapter.dispatch('own_text_type', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__own_text_type() %}{{ return(dbt_batch_sync.text_type()) }}{% endmacro %}

{% macro boolean_type() %}{{ return(adapter.dispatch('boolean_type', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__boolean_type() %}{{ return('boolean') }}{% endmacro %}

{% macro timestamp_type() %}{{ return(adapter.dispatch('timestamp_type', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__timestamp_type() %}{{ return('timestamp') }}{% endmacro %}


{#- A UTC time, `YYYY-MM-DD HH:MM:SS`, as `timestamp_type`. -#}
{% macro utc_timestamp(text) %}{{ return(adapter.dispatch('utc_timestamp', 'dbt_batch_sync')(text)) }}{% endmacro %}
{% macro default__utc_timestamp(text) %}
    {{ return('cast(' ~ dbt.string_literal(text) ~ ' as ' ~ dbt_batch_sync.timestamp_type() ~ ')') }}
{% endmacro %}


{#- The type that times of a model are kept in, UTC without a zone: `timestamp_type` is an instant on Spark. -#}
{% macro kept_time_type() %}{{ return(dbt_batch_sync.column_kind(api.Column.create('kept_time', dbt_batch_sync.timestamp_type())).dtype) }}{% endmacro %}


{#- A time of `timestamp_type` that a query answered, in UTC without a zone, as Python has it. -#}
{% macro moment_of(cell) %}{{ return(adapter.dispatch('moment_of', 'dbt_batch_sync')(cell)) }}{% endmacro %}
{% macro default__moment_of(cell) %}{{ return(cell.replace(tzinfo=none)) }}{% endmacro %}


{#- Casts a text of our own, even if every row is null or the longest literal would decide the length. -#}
{% macro text(expression) %}{{ return('cast(' ~ expression ~ ' as ' ~ dbt_batch_sync.own_text_type() ~ ')') }}{% endmacro %}

{% macro text_literal(value) %}{{ return(dbt_batch_sync.text(dbt.string_literal(value))) }}{% endmacro %}


{#- Null-safe: null equals null and NaN equals NaN. Both sides have the type `dtype`. -#}
{% macro is_distinct(a, b, dtype) %}{{ return(adapter.dispatch('is_distinct', 'dbt_batch_sync')(a, b, dtype)) }}{% endmacro %}
{% macro default__is_distinct(a, b, dtype) %}{{ return(a ~ ' is distinct from ' ~ b) }}{% endmacro %}


{#- Whether a list of names in doubt contains `,name,`. -#}
{% macro in_doubt(expression, name) %}{{ return(dbt.position("'," ~ name ~ ",'", "coalesce(" ~ expression ~ ", '')") ~ ' > 0') }}{% endmacro %}


{#- Tests whether removing line feeds and carriage returns changes a text. -#}
{% macro has_line_break(expression) %}{{ return(adapter.dispatch('has_line_break', 'dbt_batch_sync')(expression)) }}{% endmacro %}
{% macro default__has_line_break(expression) %}
    {{ return('(' ~ dbt.position('chr(10)', expression) ~ ' > 0 or ' ~ dbt.position('chr(13)', expression) ~ ' > 0)') }}
{% endmacro %}

{% macro spaces_for_blanks(expression) %}{{ return(adapter.dispatch('spaces_for_blanks', 'dbt_batch_sync')(expression)) }}{% endmacro %}
{% macro default__spaces_for_blanks(expression) %}
    {{ return("translate(" ~ expression ~ ", chr(9) || chr(10) || chr(11) || chr(12) || chr(13), '     ')") }}
{% endmacro %}


{#- A text without leading and trailing spaces. -#}
{% macro trimmed(expression) %}{{ return(adapter.dispatch('trimmed', 'dbt_batch_sync')(expression)) }}{% endmacro %}
{% macro default__trimmed(expression) %}{{ return('trim(' ~ expression ~ ')') }}{% endmacro %}


{#- The type that holds the values of both kinds, or the first if it already does. Both have the same Batch type. -#}
{% macro wider_dtype(have, want) %}{{ return(adapter.dispatch('wider_dtype', 'dbt_batch_sync')(have, want)) }}{% endmacro %}
{% macro default__wider_dtype(have, want) %}
    {% set order = {'integer': 1, 'decimal': 2, 'double': 3, 'date': 1, 'timestamp': 2} %}
    {% if have.family != want.family %}
        {{ return(have.dtype if order.get(have.family, 0) >= order.get(want.family, 0) else want.dtype) }}
    {% elif have.family != 'decimal' %}
        {{ return(have.dtype) }}
    {% endif %}
    {% set scale = [have.scale, want.scale] | max %}
    {% set digits = ([have.precision - have.scale, want.precision - want.scale] | max) + scale %}
    {{ return('decimal(' ~ digits ~ ',' ~ scale ~ ')' if digits <= 38 else dbt_batch_sync.double_type()) }}
{% endmacro %}

{% macro double_type() %}{{ return(adapter.dispatch('double_type', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__double_type() %}{{ return('double') }}{% endmacro %}


{#- The statement that creates an empty snapshot with the columns of a query. -#}
{% macro create_snapshot_sql(relation, sql) %}{{ return(adapter.dispatch('create_snapshot_sql', 'dbt_batch_sync')(relation, sql)) }}{% endmacro %}
{% macro default__create_snapshot_sql(relation, sql) %}{{ return(get_create_table_as_sql(False, relation, sql)) }}{% endmacro %}


{#- Keeps a table from expiring, where a schema's tables expire. -#}
{% macro keep_for_ever(relation) %}{{ return(adapter.dispatch('keep_for_ever', 'dbt_batch_sync')(relation)) }}{% endmacro %}
{% macro default__keep_for_ever(relation) %}{% endmacro %}


{#- Adds columns to a table, in one statement where possible. -#}
{% macro add_columns(relation, columns) %}{{ return(adapter.dispatch('add_columns', 'dbt_batch_sync')(relation, columns)) }}{% endmacro %}
{% macro default__add_columns(relation, columns) %}{% do alter_relation_add_remove_columns(relation, columns, none) %}{% endmacro %}


{#- Changes the types of a snapshot's columns: to types that hold every value (`widens`), or to others, in which values that can't be
    converted become null. The default changes each column in place, in one statement. -#}
{% macro default__change_types(relation, changes) %}
    {% set parts = [] %}
    {% for change in changes %}
        {% set name = dbt_batch_sync.column(change.name) %}
        {% do parts.append('alter column ' ~ name ~ ' type ' ~ change.dtype ~ ' using ' ~ dbt_batch_sync.converted(name, change.have, change.dtype, change.widens)) %}
    {% endfor %}
    {% do run_query('alter table ' ~ relation ~ ' ' ~ parts | join(', ')) %}
{% endmacro %}

{#- For warehouses that change few types in place: the table replaces itself, in one statement. -#}
{% macro replaced_table_sql(relation, changes) %}
    {% set types = {} %}
    {% for change in changes %}{% do types.update({change.name: change}) %}{% endfor %}
    {% set cells = [] %}
    {% for column in dbt_batch_sync.columns_of(relation) %}
        {% set cell, change = dbt_batch_sync.column(column.name), types.get(column.name | lower) %}
        {% do cells.append(dbt_batch_sync.converted(cell, change.have, change.dtype, change.widens) ~ ' as ' ~ cell if change else cell) %}
    {% endfor %}
    {{ return(get_create_table_as_sql(False, relation, 'select ' ~ cells | join(', ') ~ ' from ' ~ relation)) }}
{% endmacro %}


{#- A warehouse's default configs for the two models, by name: they place rows so that a merge finds keys, and a push finds pages. -#}
{% macro snapshot_defaults(key) %}{{ return(adapter.dispatch('snapshot_defaults', 'dbt_batch_sync')(key)) }}{% endmacro %}
{% macro default__snapshot_defaults(key) %}{{ return({}) }}{% endmacro %}

{% macro delta_defaults(key) %}{{ return(adapter.dispatch('delta_defaults', 'dbt_batch_sync')(key)) }}{% endmacro %}
{% macro default__delta_defaults(key) %}{{ return({}) }}{% endmacro %}


{#- The page of a row: a row number where that costs nothing, which is on one machine; otherwise a hash of the key into a fixed number of
    buckets. -#}
{% macro page_expression(id) %}{{ return(adapter.dispatch('page_expression', 'dbt_batch_sync')(id)) }}{% endmacro %}
{% macro default__page_expression(id) %}{{ dbt_batch_sync.unsupported() }}{% endmacro %}

{% macro buckets() %}{{ return(16384) }}{% endmacro %}


{#- The order in which a delta is stored, if a range of pages can then be read without the rest. -#}
{% macro delta_order() %}{{ return(adapter.dispatch('delta_order', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__delta_order() %}{{ return('') }}{% endmacro %}


{#- Raises an error for a model whose kind of table doesn't allow rows to change. -#}
{% macro check_storage() %}
    {% set problem = dbt_batch_sync.storage_problem(model) %}
    {% if problem %}{{ exceptions.raise_compiler_error('dbt_batch_sync: ' ~ problem) }}{% endif %}
{% endmacro %}

{#- What is wrong with a model's kind of table. Empty if the warehouse has only one kind. -#}
{% macro storage_problem(node) %}{{ return(adapter.dispatch('storage_problem', 'dbt_batch_sync')(node)) }}{% endmacro %}
{% macro default__storage_problem(node) %}{{ return('') }}{% endmacro %}


{#- Raises an error for a new snapshot whose texts would be compared under a collation. Drops it, so that the next run checks again. -#}
{% macro check_collation(relation) %}
    {% set collation = dbt_batch_sync.default_collation(relation) %}
    {% if collation %}
        {% do adapter.drop_relation(relation) %}
        {{ exceptions.raise_compiler_error(
            'dbt_batch_sync: new columns of ' ~ relation ~ ' get the collation ' ~ collation
            ~ ', under which different texts may be equal. Build `' ~ relation.identifier ~ '` and its delta in a schema and a database without a default collation'
        ) }}
    {% endif %}
{% endmacro %}

{#- The collation that the texts of a new table got from its schema or database. Empty if they are compared exactly. -#}
{% macro default_collation(relation) %}{{ return(adapter.dispatch('default_collation', 'dbt_batch_sync')(relation)) }}{% endmacro %}
{% macro default__default_collation(relation) %}{{ return('') }}{% endmacro %}

{#- For warehouses that report it with a column's type. -#}
{% macro reported_collation(relation) %}
    {% for column in dbt_batch_sync.columns_of(relation) if ' collate ' in column.dtype | lower %}
        {{ return((column.dtype | lower).split(' collate ')[1]) }}
    {% endfor %}
    {{ return('') }}
{% endmacro %}

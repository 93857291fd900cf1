{#- PostgreSQL 15 and later, which have MERGE. Texts are compared by their bytes: a column's collation may treat different texts as equal,
    two collations can't be compared at all, and `C` sorts fastest. -#}

{#- dbt's own lookup reports `ARRAY` and `USER-DEFINED` and finds no materialized views. The catalog has the item type of an array, whether
    a type is an enum, and the base type of a domain. -#}
{% macro postgres__columns_of(relation) %}
    {% set query %}
        with recursive column_types as (
            select a.attnum, a.attname, a.atttypid as type_id, a.atttypmod as modifier
            from pg_catalog.pg_attribute as a
            inner join pg_catalog.pg_class as c on c.oid = a.attrelid
            inner join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
            where n.nspname = {{ dbt.string_literal(relation.schema | replace("'", "''")) }}
                and c.relname = {{ dbt.string_literal(relation.identifier | replace("'", "''")) }}
                and a.attnum > 0
                and not a.attisdropped
            union all
            select column_types.attnum, column_types.attname, t.typbasetype, t.typtypmod
            from column_types
            inner join pg_catalog.pg_type as t on t.oid = column_types.type_id
            where t.typtype = 'd'
        )
        select
            column_types.attname as column_name,
            case
                when t.typtype = 'e' then 'enum'
                when item.typtype = 'e' then 'enum[]'
                when t.typname = 'citext' then 'citext'
                when item.typname = 'citext' then 'citext[]'
                else pg_catalog.format_type(column_types.type_id, column_types.modifier)
            end as data_type
        from column_types
        inner join pg_catalog.pg_type as t on t.oid = column_types.type_id
        left join pg_catalog.pg_type as item on item.oid = t.typelem and t.typcategory = 'A'
        where t.typtype <> 'd'
        order by column_types.attnum
    {% endset %}
    {% set columns = [] %}
    {% for row in run_query(query).rows %}{% do columns.append(api.Column.create(row[0], row[1])) %}{% endfor %}
    {{ return(columns) }}
{% endmacro %}


{% macro postgres__column_kind(column) %}
    {% set type = column.dtype | lower %}
    {% set texts = ['text', 'character varying', 'character', 'bpchar', '"char"', 'name', 'uuid', 'citext', 'enum'] %}
    {% if type.endswith('[]') %}
        {{ return({'type': 'string_array', 'family': 'array', 'dtype': 'text[]'} if type[:-2].split('(')[0] in texts else none) }}
    {% elif type.split('(')[0] in texts %}
        {{ return({'type': 'string', 'family': 'text', 'dtype': 'text'}) }}
    {% elif type in ('smallint', 'integer', 'bigint') %}
        {{ return({'type': 'integer', 'family': 'integer', 'dtype': 'bigint', 'precision': 19, 'scale': 0}) }}
    {% elif type.startswith('numeric(') %}
        {% set size = type[8:].split(')')[0].split(',') %}
        {% set precision, scale = size[0] | int, size[1] | int %}
        {{ return({'type': 'float' if scale > 0 else 'integer', 'family': 'decimal', 'dtype': 'numeric(' ~ precision ~ ',' ~ scale ~ ')', 'precision': precision, 'scale': scale}) }}
    {% elif type == 'numeric' %}
        {{ return({'type': 'float', 'family': 'numeric', 'dtype': 'numeric'}) }}
    {% elif type in ('real', 'double precision') %}
        {{ return({'type': 'float', 'family': 'double', 'dtype': 'double precision'}) }}
    {% elif type == 'boolean' %}
        {{ return({'type': 'boolean', 'family': 'boolean', 'dtype': 'boolean'}) }}
    {% elif type == 'date' %}
        {{ return({'type': 'date', 'family': 'date', 'dtype': 'date'}) }}
    {% elif type.startswith('timestamp') %}
        {{ return({'type': 'date', 'family': 'timestamp', 'dtype': 'timestamp'}) }}
    {% elif type in ('json', 'jsonb') %}
        {{ return({'type': 'json', 'family': 'json', 'dtype': 'text'}) }}
    {% endif %}
    {{ return(none) }}
{% endmacro %}


{% macro postgres__value_of(column, kind) %}
    {% set name = dbt_batch_sync.model_column(column.name) %}
    {% if (column.dtype | lower).endswith('with time zone') %}{% set name = name ~ " at time zone 'UTC'" %}{% endif %}
    {#- Uses the shortest text that represents the value at its own width: 0.1, not 0.10000000149011612. -#}
    {% if column.dtype | lower == 'real' %}{% set name = 'cast(' ~ name ~ ' as text)' %}{% endif %}
    {% set value = 'cast(' ~ name ~ ' as ' ~ kind.dtype ~ ')' %}
    {{ return(value ~ ' collate "C"' if kind.family in ('text', 'array') else value) }}
{% endmacro %}


{% macro postgres__identifier_expression(identifier) %}
    {{ return(dbt_batch_sync.default__identifier_expression(identifier) ~ ' collate "C"') }}
{% endmacro %}


{% macro postgres__empty_as_null(expression, type) %}
    {% if type == 'string_array' %}
        {{ return('case when cardinality(' ~ expression ~ ') > 0 then ' ~ expression ~ ' end') }}
    {% endif %}
    {{ return(dbt_batch_sync.default__empty_as_null(expression, type)) }}
{% endmacro %}


{% macro postgres__text_type() %}{{ return('text') }}{% endmacro %}

{% macro postgres__double_type() %}{{ return('double precision') }}{% endmacro %}


{#- A bigint has 19 digits and a numeric up to 1000. The type must hold the values of both, or changing it fails. -#}
{% macro postgres__wider_dtype(have, want) %}
    {% set sized = ['integer', 'decimal'] %}
    {% if have.family == want.family and have.family != 'decimal' %}
        {{ return(have.dtype) }}
    {% elif have.family in sized and want.family in sized %}
        {% set scale = [have.scale, want.scale] | max %}
        {% set digits = ([have.precision - have.scale, want.precision - want.scale] | max) + scale %}
        {{ return('numeric(' ~ digits ~ ',' ~ scale ~ ')' if digits <= 1000 else 'numeric') }}
    {% endif %}
    {% set order = ['integer', 'decimal', 'numeric', 'double', 'date', 'timestamp'] %}
    {{ return(have.dtype if order.index(have.family) >= order.index(want.family) else want.dtype) }}
{% endmacro %}


{% macro postgres__tested_text(column_name) %}{{ return('cast(' ~ column_name ~ ' as text) collate "C"') }}{% endmacro %}

{% macro postgres__full_match(expression, pattern) %}{{ return("(" ~ expression ~ " ~ '^(?:" ~ pattern ~ ")$')") }}{% endmacro %}

{#- Patterns have no Unicode classes, so the separators and control characters are listed. -#}
{% macro postgres__blank_characters() %}
    {{ return('\\u0001-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff') }}
{% endmacro %}

{% macro postgres__control_characters() %}{{ return('\\u0001-\\u001f\\u007f-\\u009f\\u2028\\u2029') }}{% endmacro %}

{% macro postgres__invisible_characters() %}{{ return('\\u00ad\\u180e\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f') }}{% endmacro %}


{% macro postgres__folded_text(expression) %}
    {{ return("regexp_replace(lower(normalize(" ~ expression ~ ", nfc) collate \"default\"), '[" ~ dbt_batch_sync.blank_characters() ~ dbt_batch_sync.invisible_characters() ~ "]', '', 'g')") }}
{% endmacro %}


{#- Not `now()`, which is the start of the transaction. -#}
{% macro postgres__utc_now() %}{{ return("(clock_timestamp() at time zone 'UTC')") }}{% endmacro %}

{% macro postgres__page_expression(id) %}{{ return('(row_number() over () - 1) / 1000') }}{% endmacro %}

{#- Keys are compared by their bytes on both sides, so the merge can use an index on the snapshot's key. -#}
{% macro postgres__stored_null(dtype, is_key) %}
    {{ return('cast(null as ' ~ dtype ~ ')' ~ (' collate "C"' if is_key else '')) }}
{% endmacro %}

{% macro postgres__snapshot_defaults(key) %}{{ return({'indexes': [{'columns': [key]}]}) }}{% endmacro %}

{#- Pages are stored in order, so an index of a few blocks finds them. -#}
{% macro postgres__delta_defaults(key) %}{{ return({'indexes': [{'columns': ['_batch_page'], 'type': 'brin'}]}) }}{% endmacro %}

{#- The `building` row must be visible before the model's transaction ends. -#}
{% macro postgres__commit_at_once() %}{{ return('; commit') }}{% endmacro %}

{#- `if not exists` doesn't prevent an error when another command creates the same table at the same time. -#}
{% macro postgres__lock_ledger() %}{% do run_query('select pg_advisory_xact_lock(5512347193)') %}{% endmacro %}

{% macro postgres__ledger_text_type() %}{{ return('text collate "C"') }}{% endmacro %}

{#- If the planner expects a row or two, thousands of rejects that a push has just appended are joined row by row. -#}
{% macro postgres__refresh_statistics(table) %}{% do run_query('analyze ' ~ table.render()) %}{% endmacro %}

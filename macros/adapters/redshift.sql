{#- Redshift, which begins as PostgreSQL does (dbt looks there for what is not here) and lacks much of it. What it has is from its
    documentation, https://docs.aws.amazon.com/redshift/latest/dg/. -#}
{% macro redshift__columns_of(relation) %}{{ return(adapter.get_columns_in_relation(relation)) }}{% endmacro %}


{#- `text` means 256 bytes there, and arrays are a kind of `super`, which has no type in Batch: a mapping gives it one. -#}
{% macro redshift__column_kind(column) %}
    {% set type = column.data_type | lower %}
    {% set name = type.split('(')[0] %}
    {% if name in ('character varying', 'varchar', 'nvarchar', 'text', 'character', 'char', 'nchar', 'bpchar', 'name') %}
        {{ return({'type': 'string', 'family': 'text', 'dtype': 'varchar(65535)'}) }}
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
    {% set name = dbt_batch_sync.sync_column(column.name) %}
    {% set type = column.data_type | lower %}
    {% if type.endswith('with time zone') or type == 'timestamptz' %}{% set name = name ~ " at time zone 'UTC'" %}{% endif %}
    {{ return('cast(' ~ name ~ ' as ' ~ kind.dtype ~ ')') }}
{% endmacro %}


{#- A cast of a boolean to a text is refused, and one of `super` keeps texts alone. -#}
{% macro redshift__text_of(column, kind) %}
    {% if kind.type == 'json' %}
        {{ return('json_serialize(' ~ dbt_batch_sync.sync_column(column.name) ~ ')') }}
    {% elif kind.type == 'boolean' %}
        {% set value = dbt_batch_sync.sync_column(column.name) %}
        {{ return(dbt_batch_sync.text('case when ' ~ value ~ " then 'true' when not " ~ value ~ " then 'false' end")) }}
    {% endif %}
    {{ return(dbt_batch_sync.default__text_of(column, kind)) }}
{% endmacro %}


{% macro redshift__identifier_expression(identifier) %}{{ return(dbt_batch_sync.default__identifier_expression(identifier)) }}{% endmacro %}


{% macro redshift__empty_as_null(expression, type) %}
    {% if expression.startswith('json_serialize(') %}
        {{ return('nullif(' ~ expression ~ ", '[]')") }}
    {% elif type == 'string' %}
        {{ return('case when length(' ~ expression ~ ') > 0 then ' ~ expression ~ ' end') }}
    {% endif %}
    {{ return(expression) }}
{% endmacro %}


{#- A cast without a length cuts off at 256 bytes. -#}
{% macro redshift__text_type() %}{{ return('varchar(65535)') }}{% endmacro %}


{#- There is no `is distinct from`. Texts are equal there if they differ in blanks at their ends only: so their lengths count too. -#}
{% macro redshift__is_distinct(a, b, dtype) -%}
    case when {{ a }} = {{ b }}
    {%- if dtype == dbt_batch_sync.text_type() %} and length({{ a }}) = length({{ b }}){% endif %} or ({{ a }} is null and {{ b }} is null) then 0 else 1 end = 1
{%- endmacro %}


{% macro redshift__wider_dtype(have, want) %}
    {% set sized = ['integer', 'decimal'] %}
    {% if have.family != want.family and have.family in sized and want.family in sized %}
        {% set have, want = dict(have, family='decimal'), dict(want, family='decimal') %}
    {% endif %}
    {{ return(dbt_batch_sync.default__wider_dtype(have, want)) }}
{% endmacro %}


{#- Only a text can be lengthened in place: a new column takes the old one's name, in one transaction. Anything becomes a text, and
    otherwise only what is as wide keeps its values. -#}
{% macro redshift__change_column_type(relation, name, dtype, widens) %}
    {% set old, new = dbt_batch_sync.column(name), dbt_batch_sync.column('_batch_retyped') %}
    {% set table = 'alter table ' ~ relation %}
    {% set have = (dbt_batch_sync.columns_of(relation) | selectattr('name', 'equalto', name) | first) %}
    {% set kept = widens or dtype == dbt_batch_sync.text_type() %}
    {% set value = dbt_batch_sync.text_of(have, dbt_batch_sync.column_kind(have) or {'dtype': dtype}) if kept and not widens else 'cast(' ~ old ~ ' as ' ~ dtype ~ ')' %}
    {% set steps = [table ~ ' add column ' ~ new ~ ' ' ~ dtype] %}
    {% if kept %}{% do steps.append('update ' ~ relation ~ ' set ' ~ new ~ ' = ' ~ value ~ ' where ' ~ old ~ ' is not null') %}{% endif %}
    {% do steps.extend([table ~ ' drop column ' ~ old, table ~ ' rename column ' ~ new ~ ' to ' ~ old]) %}
    {% do run_query('begin; ' ~ (steps | join('; ')) ~ '; commit') %}
{% endmacro %}


{#- The source of its `merge` can't be a subquery. Doing either statement again changes nothing, so they need no transaction. -#}
{% macro redshift__absorb_doubt_sql(sync, snapshot, delta, names, intent) %}
    {%- set id = dbt_batch_sync.column('custom_id') -%}
    {%- set doubt = dbt_batch_sync.column('_batch_doubt') -%}
    {%- set target = snapshot.render() -%}
    {%- set table = dbt_batch_sync.column(snapshot.identifier) -%}
    {%- set in_flight = dbt_batch_sync.in_flight_rows(snapshot, delta, intent) -%}
    update {{ target }}
    set {{ doubt }} = {{ dbt_batch_sync.joined_names('coalesce(' ~ table ~ '.' ~ doubt ~ ", '') || d.names", names) }}
    from ({{ in_flight }}) as d
    where {{ table }}.{{ id }} = d.{{ id }};
    insert into {{ target }} ({{ id }}, {{ doubt }})
    select d.{{ id }}, {{ dbt_batch_sync.joined_names('d.names', names) }}
    from ({{ in_flight }}) as d
    left join {{ target }} as s on s.{{ id }} = d.{{ id }}
    where s.{{ id }} is null
{% endmacro %}


{#- There are no indexes: the snapshot and the delta are on the same node and in the same order by their key. -#}
{% macro redshift__delta_indexes() %}{{ return([]) }}{% endmacro %}

{% macro redshift__stored_by() %}{{ return('custom_id') }}{% endmacro %}

{% macro redshift__delta_order() %}{{ return('') }}{% endmacro %}

{% macro redshift__evaluated_first() %}{{ return('') }}{% endmacro %}


{% macro redshift__tested_text(column_name) %}{{ return(dbt_batch_sync.default__tested_text(column_name)) }}{% endmacro %}

{#- POSIX operators, without groups that capture nothing. -#}
{% macro redshift__full_match(expression, pattern) %}{{ return("(" ~ expression ~ " ~ '^(" ~ pattern ~ ")$')") }}{% endmacro %}

{#- A backslash is written twice there, and what its classes hold beyond ASCII is not documented: blanks by their class. -#}
{% macro redshift__blank_characters() %}{{ return('[:space:]') }}{% endmacro %}

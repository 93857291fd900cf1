{#- The columns of a delta, the identifier first: name, column, Batch type, SQL type, expression, keep, membership. None if the sync is not
    built and this command doesn't build it (`dbt compile` on an empty warehouse). -#}
{% macro sync_attributes(sync, model_relation, mapping) %}
    {% set columns = [] if flags.INTROSPECT is false else dbt_batch_sync.columns_of(model_relation) %}
    {% if not columns and flags.WHICH not in ('run', 'build') %}
        {{ return(none) }}
    {% elif not columns %}
        {{ dbt_batch_sync.mapping_error(sync, "dbt finds no columns of " ~ model_relation ~ ". Build the model first; where `quoting` is off, its name must be as the warehouse folds it") }}
    {% endif %}
    {{ return([dbt_batch_sync.identifier_attribute(sync, mapping, columns)] + dbt_batch_sync.kind_macro(mapping.kind, 'attributes')(sync, mapping, columns)) }}
{% endmacro %}


{#- Checks the names of custom attributes, which become columns and list items. `dbt-batch-sync validate` checks those that are listed; only
    the warehouse knows the columns of `custom: all`. -#}
{% macro check_names(sync, attributes) %}
    {% set seen = [] %}
    {% for attribute in attributes %}
        {% set name = attribute.name %}
        {% if name in seen %}
            {{ dbt_batch_sync.mapping_error(sync, "two attributes are called `" ~ name ~ "`") }}
        {% elif not modules.re.fullmatch('[a-z0-9_]{1,30}', name) %}
            {{ dbt_batch_sync.mapping_error(sync, "`" ~ name ~ "` is not a valid attribute name (1 to 30 of a-z, 0-9 and _). List the columns, with a `name` for `" ~ attribute.column ~ "`, or `exclude` it from `custom: all`") }}
        {% elif name in ('custom_id', 'item_id', 'event_id') or name.startswith('batch__') or name.startswith('_batch_') %}
            {{ dbt_batch_sync.mapping_error(sync, "`" ~ name ~ "` is reserved. List the columns, with another `name` for `" ~ attribute.column ~ "`, or `exclude` it from `custom: all`") }}
        {% endif %}
        {% do seen.append(name) %}
    {% endfor %}
{% endmacro %}


{% macro identifier_attribute(sync, mapping, columns) %}
    {% set column = dbt_batch_sync.mapped_column(sync, columns, mapping.identifier, 'identifier') %}
    {% set kind = dbt_batch_sync.column_kind(column) %}
    {% if kind is none or kind.type not in ('string', 'integer') %}
        {{ dbt_batch_sync.mapping_error(sync, "`identifier` is the column `" ~ column.name ~ "` of type " ~ column.dtype ~ "; the key comes from a text, integer or uuid column") }}
    {% endif %}
    {{ return({'name': mapping.key, 'column': column.name, 'type': kind.type, 'column_type': column.dtype}) }}
{% endmacro %}


{% macro mapped_column(sync, columns, name, key) %}
    {% set found = dbt_batch_sync.columns_called(columns, name) %}
    {% set several = "could be `" ~ (found | map(attribute='name') | join('` or `')) ~ "`: write one of them as it is" %}
    {% if found | length != 1 %}
        {{ dbt_batch_sync.mapping_error(sync, "`" ~ key ~ "` names the column `" ~ name ~ "`, which " ~ (several if found else "the model doesn't have. Its columns: " ~ (columns | map(attribute='name') | join(', ')))) }}
    {% endif %}
    {{ return(found[0]) }}
{% endmacro %}


{#- The columns that match a name in the mapping: the exact match, or else every match that ignores case. -#}
{% macro columns_called(columns, name) %}
    {% set same = [] %}
    {% for column in columns %}
        {% if column.name == name %}{{ return([column]) }}{% endif %}
        {% if column.name | lower == name | lower %}{% do same.append(column) %}{% endif %}
    {% endfor %}
    {{ return(same) }}
{% endmacro %}


{% macro attribute_types() %}{{ return(['string', 'integer', 'float', 'boolean', 'date', 'url', 'string_array', 'object']) }}{% endmacro %}


{#- How a column is sent: its Batch type (`wanted`, if given), the type of its column in the snapshot and the delta, and the expression that
    converts it. -#}
{% macro typed_attribute(sync, columns, column_name, name, wanted, on_null) %}
    {% set column = dbt_batch_sync.mapped_column(sync, columns, column_name, name) %}
    {% set kind = dbt_batch_sync.column_kind(column) %}
    {% if kind is not none and kind.type == 'null' %}
        {#- A column that contains only nulls and has no other type takes the wanted type. -#}
        {% set kind = dbt_batch_sync.column_kind(api.Column.create(column.name, dbt_batch_sync.type_for(wanted))) %}
    {% endif %}
    {% set accepted = {
        '': ['string', 'integer', 'float', 'boolean', 'date', 'string_array'],
        'string': ['string', 'integer', 'float', 'boolean', 'date', 'json'],
        'integer': ['integer', 'float', 'string'],
        'float': ['integer', 'float', 'string'],
        'boolean': ['boolean', 'string'],
        'date': ['date', 'string'],
        'url': ['string'],
        'object': ['json', 'string'],
        'string_array': ['string_array', 'string', 'json'],
        'standard_string': ['string'],
        'boolean_or_words': ['boolean', 'string']
    }[wanted] %}
    {% if kind is none or kind.type not in accepted %}
        {{ dbt_batch_sync.mapping_error(sync, "`" ~ name ~ "` is the column `" ~ column.name ~ "` of type " ~ column.dtype
            ~ ((", which can't be sent as " ~ (wanted if wanted in dbt_batch_sync.attribute_types() else 'a ' ~ name.replace('batch__', '$'))) ~ ". Accepted: columns of " ~ (accepted | join(', '))
            if wanted else ", which Batch has no type for. " ~ dbt_batch_sync.type_advice(column, kind))) }}
    {% endif %}
    {% set as_text = kind.type == 'json' or (wanted == 'string' and kind.type != 'string') %}
    {% set expression = dbt_batch_sync.text_of(column, kind) if as_text else dbt_batch_sync.value_of(column, kind) %}
    {% set keep = on_null == 'keep' %}
    {{ return({
        'name': name,
        'column': column.name,
        'type': (wanted if wanted in dbt_batch_sync.attribute_types() else ('string' if wanted else kind.type)),
        'dtype': dbt_batch_sync.text_type() if as_text else kind.dtype,
        'expression': dbt_batch_sync.empty_as_null(expression, 'string' if as_text else kind.type) if keep else expression,
        'keep': keep,
        'membership': false,
        'guarded': false
    }) }}
{% endmacro %}


{#- The warehouse type of a column that is sent as `wanted`. -#}
{% macro type_for(wanted) %}
    {{ return({
        'integer': 'bigint', 'float': dbt_batch_sync.double_type(), 'boolean': dbt_batch_sync.boolean_type(), 'date': dbt_batch_sync.timestamp_type(),
        'string_array': dbt_batch_sync.array_type()
    }.get(wanted, dbt_batch_sync.text_type())) }}
{% endmacro %}

{% macro array_type() %}{{ return(adapter.dispatch('array_type', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__array_type() %}{{ return(dbt_batch_sync.text_type() ~ '[]') }}{% endmacro %}


{#- Advice for a column whose type Batch doesn't have. -#}
{% macro type_advice(column, kind) %}
    {% if kind is not none and kind.type == 'json' %}{{ return('Give it `type: string`, or `type: string_array` if it holds arrays of texts') }}{% endif %}
    {% set list = column.dtype.endswith(']') or (column.dtype | lower).startswith('array<') %}
    {{ return('Cast it in the model: cast(' ~ column.name ~ ' as ' ~ dbt_batch_sync.type_for('string_array' if list else 'string') ~ ')') }}
{% endmacro %}


{#- The mapped attributes as they are now, by name. -#}
{% macro current_attributes(sync) %}
    {% set attributes = {} %}
    {% for attribute in dbt_batch_sync.sync_attributes(sync, dbt_batch_sync.sync_relation(sync), dbt_batch_sync.sync_mapping(sync))[1:] %}{% do attributes.update({attribute.name: attribute}) %}{% endfor %}
    {{ return(attributes) }}
{% endmacro %}


{#- `name:type,…`: tells the runner and the next `dbt run` the types that were derived here. -#}
{% macro type_list(types) %}
    {% set parts = [] %}
    {% for name, type in types.items() %}{% do parts.append(name ~ ':' ~ type) %}{% endfor %}
    {{ return(parts | join(',')) }}
{% endmacro %}


{% macro not_built_yet(model_relation) %}
    select 1 as {{ dbt_batch_sync.column(model_relation.identifier ~ '_is_not_built_yet') }} limit 0
{% endmacro %}

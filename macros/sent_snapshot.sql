{#- The body of `<sync>_sent_snapshot`: no rows, only the columns that keep Batch's state. -#}
{% macro sent_snapshot(sync, key='custom_id', version=none) %}
    {% set model_relation = dbt_batch_sync.model_relation(sync, version) %}
    {{ config(materialized='sent_snapshot', full_refresh=false, contract={'enforced': false}) }}
    {% do dbt_batch_sync.set_defaults(dbt_batch_sync.snapshot_defaults(key)) %}
    {% if execute %}
        {% do dbt_batch_sync.check_storage() %}
        {% set mapping = dbt_batch_sync.sync_mapping(sync) %}
        {% do dbt_batch_sync.check_key(sync, mapping, key) %}
        {% set attributes = dbt_batch_sync.sync_attributes(sync, model_relation, mapping) %}
        {% if attributes is none %}
            {{ dbt_batch_sync.not_built_yet(model_relation) }}
        {% else %}
            select
            {%- for column in dbt_batch_sync.kind_macro(mapping.kind, 'snapshot_schema')(attributes) %}
                {{ dbt_batch_sync.stored_null(column.dtype, loop.first) }} as {{ dbt_batch_sync.column(column.name) }}{{ ',' if not loop.last }}
            {%- endfor %} limit 0
        {% endif %}
    {% endif %}
{% endmacro %}


{#- The name and type of each snapshot column, in order. -#}
{% macro any_kind__snapshot_schema(attributes) %}
    {% set text_type = dbt_batch_sync.own_text_type() %}
    {% set timestamp_type = dbt_batch_sync.timestamp_type() %}
    {% set columns = [{'name': attributes[0].name, 'dtype': dbt_batch_sync.identifier_type()}] %}
    {% for attribute in attributes[1:] %}
        {% do columns.append({'name': attribute.name, 'dtype': attribute.dtype, 'attribute': true}) %}
    {% endfor %}
    {% do columns.append({'name': '_batch_sent_at', 'dtype': timestamp_type}) %}
    {% do columns.append({'name': '_batch_run_id', 'dtype': text_type}) %}
    {% do columns.append({'name': '_batch_delta_id', 'dtype': text_type}) %}
    {% do columns.append({'name': '_batch_exited_at', 'dtype': timestamp_type}) %}
    {% do columns.append({'name': '_batch_doubt', 'dtype': dbt_batch_sync.text_type()}) %}
    {% do columns.append({'name': '_batch_opted_out', 'dtype': text_type}) %}
    {{ return(columns) }}
{% endmacro %}


{#- The snapshot's columns other than the key and the attributes. -#}
{% macro own_columns() %}{{ return(['_batch_sent_at', '_batch_run_id', '_batch_delta_id', '_batch_exited_at', '_batch_doubt', '_batch_opted_out']) }}{% endmacro %}


{#- A null in the type of a snapshot column. -#}
{% macro stored_null(dtype, is_key) %}{{ return(adapter.dispatch('stored_null', 'dbt_batch_sync')(dtype, is_key)) }}{% endmacro %}
{% macro default__stored_null(dtype, is_key) %}{{ return('cast(null as ' ~ dtype ~ ')') }}{% endmacro %}


{#- Sets configs that the project doesn't set. A `config()` after the macro in the model's file overrides them. -#}
{% macro set_defaults(defaults) %}
    {% set missing = {} %}
    {% for name, value in defaults.items() if not model.config.get(name) and model.config.get(name) is not false %}{% do missing.update({name: value}) %}{% endfor %}
    {% if missing %}{{ config(missing) }}{% endif %}
{% endmacro %}


{#- How many profiles of the snapshot have not exited, and how many that have are in the delta, because they come back or exit again (under
    another `on_exit`). -#}
{% macro any_kind__known_counts(snapshot, delta, counts, key) %}
    {% set id, exited, change = dbt_batch_sync.column(key), dbt_batch_sync.column('_batch_exited_at'), dbt_batch_sync.column('_batch_change') %}
    {% set row = run_query('select count(*) as known, count(' ~ exited ~ ') as gone from ' ~ snapshot.render()).rows[0] %}
    {% set again = {} %}
    {% if row[1] and (counts.get('update', 0) or counts.get('exit', 0)) %}
        {% for found in run_query(
            'select d.' ~ change ~ ', count(*) as changes from ' ~ delta.render() ~ ' as d inner join ' ~ snapshot.render() ~ ' as s on s.' ~ id ~ ' = d.' ~ id
            ~ ' where s.' ~ exited ~ ' is not null group by d.' ~ change
        ).rows %}{% do again.update({found[0]: found[1] | int}) %}{% endfor %}
    {% endif %}
    {{ return({'known': row[0] | int - row[1] | int, 'returning': again.get('update', 0), 'leaving_again': again.get('exit', 0)}) }}
{% endmacro %}


{#- The attribute columns of a snapshot, mapped or not. Each mapped one must exist and fit its values. -#}
{% macro snapshot_columns(snapshot_relation, key, attributes) %}
    {% set names = [] %}
    {% set types = {} %}
    {% for column in dbt_batch_sync.columns_of(snapshot_relation) %}
        {% do names.append(column.name | lower) %}
        {% do types.update({column.name | lower: (dbt_batch_sync.column_kind(column) or {}).get('type')}) %}
    {% endfor %}
    {% for attribute in attributes %}
        {% set wanted = dbt_batch_sync.column_kind(api.Column.create(attribute.name, attribute.dtype)).type %}
        {% if attribute.name not in names or types[attribute.name] != wanted %}
            {{ exceptions.raise_compiler_error(
                snapshot_relation.identifier ~ " has no column for the attribute `" ~ attribute.name ~ "`"
                ~ (" as it is now" if attribute.name in names else "")
                ~ ". Build the snapshot before the delta: dbt run --select " ~ snapshot_relation.identifier ~ "+"
            ) }}
        {% endif %}
    {% endfor %}
    {{ return(names | reject('equalto', key) | reject('in', dbt_batch_sync.own_columns()) | list) }}
{% endmacro %}


{#- Sets and unsets a model's `query_tag`, as Snowflake's own materializations do. -#}
{% macro set_tag() %}{{ return(adapter.dispatch('set_tag', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__set_tag() %}{% endmacro %}

{% macro unset_tag(former) %}{{ return(adapter.dispatch('unset_tag', 'dbt_batch_sync')(former)) }}{% endmacro %}
{% macro default__unset_tag(former) %}{% endmacro %}

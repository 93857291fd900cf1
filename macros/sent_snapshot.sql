{#- The body of `<sync>_sent_snapshot`: no row, and the columns that Batch's state is kept in. -#}
{% macro sent_snapshot(sync) %}
    {% set sync_relation = ref(sync) %}
    {{ config(
        materialized='sent_snapshot', full_refresh=false, transient=false, copy_grants=true,
        dist=dbt_batch_sync.stored_by(), sort=dbt_batch_sync.stored_by(),
        liquid_clustered_by=dbt_batch_sync.snapshot_clusters()
    ) }}
    {% if execute %}
        {% do dbt_batch_sync.check_storage() %}
        {% set mapping = dbt_batch_sync.sync_mapping(sync) %}
        {% set attributes = dbt_batch_sync.sync_attributes(sync, sync_relation, mapping) %}
        {% if attributes is none %}
            {{ dbt_batch_sync.not_built_yet(sync_relation) }}
        {% else %}
            select
            {%- for column in dbt_batch_sync.snapshot_schema(attributes) %}
                cast(null as {{ column.dtype }}) as {{ dbt_batch_sync.column(column.name) }}{{ ',' if not loop.last }}
            {%- endfor %}
            limit 0
        {% endif %}
    {% endif %}
{% endmacro %}


{#- Name and type of each column of a snapshot, in the order in which it is created. -#}
{% macro snapshot_schema(attributes) %}
    {% set text_type = dbt_batch_sync.text_type() %}
    {% set timestamp_type = dbt_batch_sync.timestamp_type() %}
    {% set columns = [{'name': 'custom_id', 'dtype': text_type}] %}
    {% for attribute in attributes[1:] %}
        {% do columns.append({'name': attribute.name, 'dtype': attribute.dtype}) %}
    {% endfor %}
    {% do columns.append({'name': '_batch_sent_at', 'dtype': timestamp_type}) %}
    {% do columns.append({'name': '_batch_run_id', 'dtype': text_type}) %}
    {% do columns.append({'name': '_batch_delta_id', 'dtype': text_type}) %}
    {% do columns.append({'name': '_batch_exited_at', 'dtype': timestamp_type}) %}
    {% do columns.append({'name': '_batch_doubt', 'dtype': text_type}) %}
    {{ return(columns) }}
{% endmacro %}


{#- The attribute columns that a snapshot has now, mapped or not; each mapped one must be there, for values of its type. -#}
{% macro snapshot_columns(snapshot_relation, attributes) %}
    {% set names = [] %}
    {% set types = {} %}
    {% for column in dbt_batch_sync.columns_of(snapshot_relation) %}
        {% do names.append(column.name | lower) %}
        {% do types.update({column.name | lower: (dbt_batch_sync.column_kind(column) or {}).get('type')}) %}
    {% endfor %}
    {% for attribute in attributes[1:] %}
        {% set wanted = dbt_batch_sync.column_kind(api.Column.create(attribute.name, attribute.dtype)).type %}
        {% if attribute.name not in names or types[attribute.name] != wanted %}
            {{ exceptions.raise_compiler_error(
                snapshot_relation.identifier ~ " has no column for the attribute `" ~ attribute.name ~ "`"
                ~ (" as it is now" if attribute.name in names else "")
                ~ ". Build the snapshot before the delta: dbt run --select " ~ snapshot_relation.identifier ~ "+"
            ) }}
        {% endif %}
    {% endfor %}
    {{ return(names | reject('in', ['custom_id', '_batch_sent_at', '_batch_run_id', '_batch_delta_id', '_batch_exited_at', '_batch_doubt']) | list) }}
{% endmacro %}

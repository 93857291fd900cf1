{#- Adapts an existing snapshot to its mapping: adds columns and changes their types to fit the model's values. -#}
{% macro evolve_snapshot(snapshot, model) %}
    {% set sync = model.name[:-('_sent_snapshot' | length)] %}
    {% set mapping = dbt_batch_sync.sync_mapping(sync) %}
    {% set attributes = dbt_batch_sync.sync_attributes(sync, dbt_batch_sync.sync_relation(sync), mapping) %}
    {% set have = {} %}
    {% for column in dbt_batch_sync.columns_of(snapshot) %}{% do have.update({column.name | lower: column}) %}{% endfor %}
    {% set added, retyped, changes = [], [], [] %}
    {% for wanted in dbt_batch_sync.kind_macro(mapping.kind, 'snapshot_schema')(attributes) %}
        {% set kind = dbt_batch_sync.column_kind(have[wanted.name]) if wanted.name in have else none %}
        {% set want = dbt_batch_sync.column_kind(api.Column.create(wanted.name, wanted.dtype)) %}
        {% if wanted.name not in have %}
            {% do added.append(api.Column.create(dbt_batch_sync.reported_name(wanted.name), wanted.dtype)) %}
        {% elif wanted.attribute and (kind is none or kind.type != want.type) %}
            {% do retyped.append(wanted.name) %}
            {% do changes.append({'name': wanted.name, 'have': kind, 'dtype': wanted.dtype, 'widens': false}) %}
        {% elif wanted.attribute and dbt_batch_sync.wider_dtype(kind, want) != kind.dtype %}
            {% do changes.append({'name': wanted.name, 'have': kind, 'dtype': dbt_batch_sync.wider_dtype(kind, want), 'widens': true}) %}
        {% endif %}
    {% endfor %}
    {% if added %}{% do dbt_batch_sync.add_columns(snapshot, added) %}{% endif %}
    {#- Marked before the values change, because values that can't be converted become null while Batch still holds them. -#}
    {% do dbt_batch_sync.mark_retyped(snapshot, dbt_batch_sync.attribute_names(have.values(), attributes[0].name), retyped) %}
    {% if changes %}{% do adapter.dispatch('change_types', 'dbt_batch_sync')(snapshot, changes) %}{% endif %}
{% endmacro %}


{#- The lower-case names of the attribute columns of a snapshot. -#}
{% macro attribute_names(columns, key) %}
    {% set names = [] %}
    {% for column in columns if column.name | lower != key and not (column.name | lower).startswith('_batch_') %}{% do names.append(column.name | lower) %}{% endfor %}
    {{ return(names) }}
{% endmacro %}

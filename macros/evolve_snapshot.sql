{#- Brings an existing snapshot to its mapping: adds columns, widens them, and takes in what a dead push left in doubt. -#}
{% macro evolve_snapshot(snapshot, model) %}
    {% set sync = model.name[:-('_sent_snapshot' | length)] %}
    {% set mapping = dbt_batch_sync.sync_mapping(sync) %}
    {% set attributes = dbt_batch_sync.sync_attributes(sync, ref(sync), mapping) %}
    {% set sent_types = dbt_batch_sync.types_last_sent(sync, snapshot) %}
    {% set have = {} %}
    {% for column in dbt_batch_sync.columns_of(snapshot) %}
        {% do have.update({column.name | lower: column}) %}
    {% endfor %}
    {% set types = {} %}
    {% for attribute in attributes[1:] %}{% do types.update({attribute.name: attribute}) %}{% endfor %}

    {% set retyped = [] %}
    {% for wanted in dbt_batch_sync.snapshot_schema(attributes) %}
        {% set attribute = types.get(wanted.name) %}
        {% if wanted.name not in have %}
            {% do dbt_batch_sync.add_column(snapshot, api.Column.create(dbt_batch_sync.reported_name(wanted.name), wanted.dtype)) %}
        {% elif attribute is not none %}
            {% set kind = dbt_batch_sync.column_kind(have[wanted.name]) %}
            {% set want = dbt_batch_sync.column_kind(api.Column.create(wanted.name, wanted.dtype)) %}
            {% set other_type = sent_types.get(wanted.name, attribute.type) != attribute.type %}
            {% if other_type %}{% do retyped.append(wanted.name) %}{% endif %}
            {% if kind is none or kind.type != want.type %}
                {% if wanted.name not in retyped %}{% do retyped.append(wanted.name) %}{% endif %}
                {% do dbt_batch_sync.mark_doubt(snapshot, [wanted.name]) %}
                {% do dbt_batch_sync.change_column_type(snapshot, wanted.name, wanted.dtype, false) %}
            {% else %}
                {% set wider = dbt_batch_sync.wider_dtype(kind, want) %}
                {% if wider != kind.dtype %}{% do dbt_batch_sync.change_column_type(snapshot, wanted.name, wider, true) %}{% endif %}
                {% if other_type %}{% do dbt_batch_sync.mark_doubt(snapshot, [wanted.name]) %}{% endif %}
            {% endif %}
        {% endif %}
    {% endfor %}
{% endmacro %}

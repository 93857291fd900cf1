{#- The `batch_sync` meta of a sync, with its defaults, and a hash of what decides which values are sent (`Mapping.hash` in mapping.py is the same). Read from the graph when dbt executes, never when it parses:
    partial parsing can't freeze it. `dbt-batch-sync validate` checks the whole of it; here only what SQL needs. -#}
{% macro sync_mapping(sync) %}
    {% set found = [] %}
    {% for node in graph.nodes.values() if node.resource_type == 'model' and node.name == sync %}
        {% if node.version is not defined or node.version is none or node.version == node.latest_version %}
            {% do found.append(node) %}
        {% endif %}
    {% endfor %}
    {% if found | length != 1 %}
        {{ exceptions.raise_compiler_error("dbt_batch_sync: " ~ (found | length) ~ " models are named `" ~ sync ~ "`; a sync is exactly one model") }}
    {% endif %}
    {% set node = found[0] %}
    {% if node.config.materialized == 'ephemeral' %}
        {{ dbt_batch_sync.mapping_error(sync, "an ephemeral model can't be a sync: use view, table or incremental") }}
    {% endif %}
    {% set meta = {} %}
    {% do meta.update(node.meta or {}) %}
    {% do meta.update(node.config.meta or {}) %}
    {% set raw = meta.get('batch_sync') %}
    {% if raw is not mapping %}
        {{ dbt_batch_sync.mapping_error(sync, "the model has no `batch_sync` under `config: meta:`") }}
    {% endif %}
    {% if not raw.get('identifier') %}
        {{ dbt_batch_sync.mapping_error(sync, "`identifier` is missing: name the column that becomes custom_id") }}
    {% endif %}
    {% set sent = {} %}
    {% for key, value in raw.items() if key not in ('guards', 'endpoint', 'output', 'shared') %}{% do sent.update({key: value}) %}{% endfor %}
    {{ return({
        'hash': local_md5(tojson(sent, sort_keys=true)),
        'kind': raw.get('kind') or 'profiles',
        'key': 'custom_id',
        'identifier': raw['identifier'],
        'standard': raw.get('standard') or {},
        'custom': raw.get('custom') or [],
        'exclude': raw.get('exclude') or [],
        'on_null': raw.get('on_null') or 'clear',
        'consent_on_null': raw.get('on_null') or 'keep',
        'never_resubscribe': (raw.get('guards') or {}).get('never_resubscribe', true),
        'on_exit': raw.get('on_exit') or 'ignore',
        'membership': raw.get('membership') or ''
    }) }}
{% endmacro %}


{% macro mapping_error(sync, message) %}
    {{ exceptions.raise_compiler_error("batch_sync mapping of `" ~ sync ~ "`: " ~ message ~ ". `dbt-batch-sync validate` lists everything that is wrong.") }}
{% endmacro %}


{#- The custom entries of a mapping in one form: column, name, type, on_null. -#}
{% macro custom_entries(mapping) %}
    {% set entries = [] %}
    {% if mapping.custom is not string %}
        {% for item in mapping.custom %}
            {% set entry = {'column': item} if item is string else item %}
            {% do entries.append({
                'column': entry.column,
                'name': entry.name or (entry.column | lower),
                'type': entry.type or '',
                'on_null': entry.on_null or mapping.on_null
            }) %}
        {% endfor %}
    {% endif %}
    {{ return(entries) }}
{% endmacro %}

{#- The `batch_sync` meta of a sync, with its defaults. Read from the graph when dbt executes, never when it parses:
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
    {{ return({
        'identifier': raw['identifier'],
        'standard': raw.get('standard') or {},
        'custom': raw.get('custom') or [],
        'exclude': raw.get('exclude') or [],
        'on_null': raw.get('on_null') or 'clear',
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


{#- A hash of what decides which values are sent. `Mapping.hash` in mapping.py makes the same one: each text with its
    length before it, so that no two mappings write the same sequence. -#}
{% macro mapping_hash(mapping) %}
    {% set parts = ['v1', mapping.identifier | lower, mapping.on_null, mapping.on_exit, mapping.membership] %}
    {% for key in mapping.standard.keys() | sort %}
        {% do parts.extend(['standard', key, mapping.standard[key] | lower]) %}
    {% endfor %}
    {% if mapping.custom is string %}
        {% do parts.append('all') %}
        {% for column in mapping.exclude | map('lower') | sort %}
            {% do parts.extend(['exclude', column]) %}
        {% endfor %}
    {% else %}
        {% for entry in dbt_batch_sync.custom_entries(mapping) | sort(attribute='name') %}
            {% do parts.extend(['custom', entry.column | lower, entry.name, entry.type, entry.on_null]) %}
        {% endfor %}
    {% endif %}
    {% set sequence = [] %}
    {% for part in parts %}
        {% do sequence.append((part | length) ~ ':' ~ part) %}
    {% endfor %}
    {{ return(local_md5(sequence | join(''))) }}
{% endmacro %}

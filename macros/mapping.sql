{#- The `batch_sync` meta of a sync with its defaults, and a hash of the keys that decide which values are sent (the same as `Mapping.hash`
    in mapping.py). It is read from the graph when a model runs, not when dbt parses, so partial parsing can't freeze it. Only checks what
    SQL needs; `dbt-batch-sync validate` checks everything. -#}
{% macro sync_mapping(sync) %}
    {% set node = dbt_batch_sync.sync_node(sync) %}
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
    {% set kind = raw.get('kind') or 'profiles' %}
    {% set found = dbt_batch_sync.kind_macro(kind, 'read_mapping') if kind in dbt_batch_sync.kinds() else none %}
    {% if found is none %}
        {{ dbt_batch_sync.mapping_error(sync, "`kind` must be one of " ~ (dbt_batch_sync.kinds() | join(', '))) }}
    {% endif %}
    {% if not raw.get('identifier') %}
        {{ dbt_batch_sync.mapping_error(sync, "`identifier` is missing: name the column that identifies a row in Batch") }}
    {% endif %}
    {% set sent = {} %}
    {% for key, value in raw.items() if key not in ('guards', 'endpoint', 'output', 'shared', 'display_name') %}{% do sent.update({key: value}) %}{% endfor %}
    {{ return(dict({'kind': kind, 'hash': local_md5(tojson(sent, sort_keys=true)), 'identifier': raw['identifier']}, **found(sync, raw))) }}
{% endmacro %}


{#- The sync's model in dbt's graph: the one that the model being built refers to, because packages and versions may have others of the same
    name. In `dbt run-operation`, where no model is built, the first of that name. -#}
{% macro sync_node(sync) %}
    {% for id in (model.depends_on.nodes or graph.nodes) if graph.nodes.get(id, {}).resource_type == 'model' and graph.nodes[id].name == sync %}
        {{ return(graph.nodes[id]) }}
    {% endfor %}
{% endmacro %}

{% macro sync_relation(sync) %}{{ return(dbt_batch_sync.model_relation(sync, dbt_batch_sync.sync_node(sync).version)) }}{% endmacro %}


{#- Where a sync's model is, by the project's own `ref` if it has one: that may know of no versions. The snapshot is where dbt builds it. -#}
{% macro model_relation(sync, version) %}
    {% set found = ref(sync) if version is undefined or version is none else ref(sync, v=version) %}
    {% if found is string %}
        {{ dbt_batch_sync.mapping_error(sync, "the project's macro `ref` returns text here, and a sync needs a relation. Let it return `builtins.ref(…)` where `model.name` is `" ~ model.name ~ "`") }}
    {% endif %}
    {{ return(found) }}
{% endmacro %}


{% macro mapping_error(sync, message) %}
    {{ exceptions.raise_compiler_error("batch_sync mapping of `" ~ sync ~ "`: " ~ message ~ ". `dbt-batch-sync validate` lists everything that is wrong.") }}
{% endmacro %}


{#- The entries of a list of columns in one form: column, name, type, on_null. -#}
{% macro listed_entries(listed, on_null) %}
    {% set entries = [] %}
    {% for item in listed %}
        {% set entry = {'column': item} if item is string else item %}
        {% do entries.append({
            'column': entry.column,
            'name': entry.name or (entry.column | lower),
            'type': entry.type or '',
            'on_null': entry.on_null or on_null
        }) %}
    {% endfor %}
    {{ return(entries) }}
{% endmacro %}

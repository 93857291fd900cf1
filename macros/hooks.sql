{#- The hooks of a delta, which run before and after dbt builds it. They announce the build, merge what pushes did with the old delta, and
    tell pushes about the new one. -#}


{#- The first hook of a delta, outside the model's transaction. A push that claims the sync later sees that dbt is at work; a push that
    claimed it earlier is seen by `merge_sent`. -#}
{% macro announce_build(sync) %}
    {% set snapshot = dbt_batch_sync.own_snapshot(sync) %}
    {% if snapshot is not none %}
        {% do dbt_batch_sync.kind_macro(dbt_batch_sync.sync_mapping(sync).kind, 'before_build')(sync, snapshot) %}
        {{ dbt_batch_sync.journal_row(snapshot, sync, 'building', {'delta_id': dbt.string_literal(invocation_id)}) }}
        {{- dbt_batch_sync.commit_at_once() }}
    {% elif execute %}
        {% do log("dbt_batch_sync: " ~ this.identifier ~ " is compared with the snapshot of another target (--defer), which is not written to. It can't be pushed.", info=true) %}
    {% endif %}
{% endmacro %}

{% macro commit_at_once() %}{{ return(adapter.dispatch('commit_at_once', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__commit_at_once() %}{% endmacro %}


{#- The second hook. Merges the old delta into the snapshot and puts requested rows in doubt. -#}
{% macro merge_sent(sync) %}
    {% set snapshot = dbt_batch_sync.own_snapshot(sync) if execute else none %}
    {% if snapshot is not none %}
        {% set built = dbt_batch_sync.last_built(sync, snapshot) %}
        {% set found = dbt_batch_sync.found_delta(this, built) %}
        {% set progress = dbt_batch_sync.progress(sync, snapshot, built) %}
        {% set mapping = dbt_batch_sync.sync_mapping(sync) %}
        {% set done = dbt_batch_sync.kind_macro(mapping.kind, 'merge')(sync, mapping, snapshot, this, built, found, progress) %}
        {% do dbt_batch_sync.kind_macro(mapping.kind, 'after_merge')(sync, mapping, snapshot) %}
        {% do dbt_batch_sync.forget_erased(sync, mapping, snapshot, built) %}
        {{ dbt_batch_sync.journal_row(snapshot, sync, 'merged', {
            'delta_id': dbt.string_literal(invocation_id),
            'merged_delta_id': dbt.string_literal(done.witness) if dbt_batch_sync.has_rows_of(snapshot, [done.witness]) else 'null',
            'answered': dbt.string_literal(done.answered | join(',')),
            'request': dbt.string_literal(done.request) if done.request else 'null'
        }) }}
    {% endif %}
{% endmacro %}

{#- How a kind merges the old delta. Returns the delta whose rows a later `dbt run` must find in the snapshot (`witness`), the ids of the
    `answered` requests, and what the new delta contains beside changes (`request`). -#}
{% macro any_kind__merge(sync, mapping, snapshot, delta, built, found, progress) %}
    {% set before = dbt_batch_sync.last_merged(sync, snapshot) %}
    {% set lost = dbt_batch_sync.check_delta(sync, snapshot, delta, built, found, progress, before) %}
    {% set names = dbt_batch_sync.snapshot_columns(snapshot, built.key, []) %}
    {% set attributes = dbt_batch_sync.current_attributes(sync) %}
    {% set retyped = [] %}
    {% for name, type in built.types.items() if name in attributes and attributes[name].type != type and name in names %}{% do retyped.append(name) %}{% endfor %}
    {% set merged = built.delta_id is not none and found == built.delta_id and (progress.settled or progress.sent_page is not none) %}
    {% if merged %}{% do dbt_batch_sync.merge_delta(sync, snapshot, delta, built, progress, names, retyped) %}{% endif %}
    {% do dbt_batch_sync.mark_retyped(snapshot, names, retyped) %}
    {% set requests = dbt_batch_sync.answer_requests(sync, snapshot, built.key, names, attributes, lost) %}
    {% set witness = built.delta_id if merged else (none if requests.all else before.delta_id) %}
    {{ return({'witness': witness, 'answered': requests.ids, 'request': 'all' if requests.all else none}) }}
{% endmacro %}

{% macro any_kind__before_build(sync, snapshot) %}{% endmacro %}


{#- The last hook. Appends `built`. -#}
{% macro record_build(sync) %}
    {% set snapshot = dbt_batch_sync.own_snapshot(sync) if execute else none %}
    {% if snapshot is not none %}
        {% set mapping = dbt_batch_sync.sync_mapping(sync) %}
        {#- A row that dbt left out of a partial delta may still differ. -#}
        {% if not dbt_batch_sync.partial_mode() %}{% do dbt_batch_sync.kind_macro(mapping.kind, 'resolve')(sync, snapshot, this, mapping.key) %}{% endif %}
        {% set query %}
            select {{ dbt_batch_sync.column('_batch_change') }}, case when {{ dbt_batch_sync.column('_batch_reason') }} in ('parked', 'unsure') then {{ dbt_batch_sync.column('_batch_reason') }} end as reason,
                count(*) as delta_rows, max({{ dbt_batch_sync.column('_batch_page') }}) as last_page
            from {{ this.render() }} group by 1, 2
        {% endset %}
        {% set counts, pages = {}, [] %}
        {% for row in run_query(query).rows %}
            {% set change = 'parked' if row[1] == 'parked' else row[0] %}
            {% do counts.update({change: counts.get(change, 0) + row[2] | int}) %}
            {% if row[1] == 'unsure' %}{% do counts.update({'unsure': counts.get('unsure', 0) + row[2] | int}) %}{% endif %}
            {% do pages.append(row[3] | int) %}
        {% endfor %}
        {% set known = dbt_batch_sync.kind_macro(mapping.kind, 'known_counts')(snapshot, this, counts, mapping.key) %}
        {% set model_rows = known.known - counts.get('exit', 0) + known.leaving_again + counts.get('insert', 0) + known.returning + counts.get('invalid', 0) + counts.get('parked', 0) %}
        {% set merged = dbt_batch_sync.merged_since(sync, snapshot) %}
        {% set request = dbt_batch_sync.kind_macro(mapping.kind, 'requested')(sync, snapshot, merged.requests) %}
        {% set types, former = {}, {} %}
        {% for name, attribute in dbt_batch_sync.current_attributes(sync).items() %}{% do types.update({name: attribute.type}) %}{% endfor %}
        {% for name, type in dbt_batch_sync.last_built(sync, snapshot).types.items() if name not in types %}{% do former.update({name: type}) %}{% endfor %}
        {{ dbt_batch_sync.journal_row(snapshot, sync, 'built', {
            'delta_id': dbt.string_literal(invocation_id),
            'target': dbt.string_literal(target.name),
            'mapping_hash': dbt.string_literal(mapping.hash),
            'attribute_types': dbt.string_literal(dbt_batch_sync.type_list(types)),
            'former_types': dbt.string_literal(dbt_batch_sync.type_list(former)),
            'mode': dbt.string_literal(dbt_batch_sync.partial_mode()) if dbt_batch_sync.partial_mode() else 'null',
            'version': dbt.string_literal(dbt_batch_sync.version()),
            'model_rows': model_rows if model_rows > 0 else 0, 'known_rows': known.known,
            'inserts': counts.get('insert', 0), 'updates': counts.get('update', 0), 'exits': counts.get('exit', 0),
            'invalid': counts.get('invalid', 0), 'parked': counts.get('parked', 0), 'unsure': counts.get('unsure', 0) + dbt_batch_sync.kind_macro(mapping.kind, 'unreported')(sync, snapshot),
            'retention_days': mapping.get('memory_days') or 'null',
            'page': pages | max if pages else 'null',
            'answered': dbt.string_literal(merged.answered | join(',')), 'request': dbt.string_literal(request) if request else 'null'
        }) }}
    {% endif %}
{% endmacro %}

{#- How many rows of earlier deltas can't be vouched for, and were never reported. -#}
{% macro any_kind__unreported(sync, snapshot) %}{{ return(0) }}{% endmacro %}


{#- What the new delta contains beside changes, according to the merges since the last build. -#}
{% macro any_kind__requested(sync, snapshot, requests) %}{{ return('all' if 'all' in requests else none) }}{% endmacro %}


{#- The requests answered since the last build, by this command or by one that failed before it built. If another command has built in
    between, this is an error, because what was pushed of that delta would not be merged. -#}
{% macro merged_since(sync, snapshot) %}
    {% set of_sync = dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render() ~ ' where sync = ' ~ dbt.string_literal(sync) %}
    {% set own = ' and delta_id = ' ~ dbt.string_literal(invocation_id) %}
    {% set overlapping = run_query(
        'select count(*) from ' ~ of_sync ~ " and event = 'built' and recorded_at > (select max(recorded_at) from " ~ of_sync ~ " and event = 'building'" ~ own ~ ')'
    ).rows[0][0] | int %}
    {% if overlapping %}
        {{ exceptions.raise_compiler_error('dbt_batch_sync: another dbt command has built ' ~ this.render() ~ ' at the same time. Run dbt again, one command at a time') }}
    {% endif %}
    {% set answered, requests = [], [] %}
    {% for row in run_query(
        'select answered, request as scope from ' ~ of_sync ~ " and event = 'merged' and (delta_id = " ~ dbt.string_literal(invocation_id)
        ~ ' or recorded_at > (select max(recorded_at) from ' ~ of_sync ~ " and event = 'built'))"
    ).rows %}
        {% if row[0] %}{% do answered.append(row[0]) %}{% endif %}
        {% if row[1] %}{% do requests.append(row[1]) %}{% endif %}
    {% endfor %}
    {{ return({'answered': answered, 'requests': requests}) }}
{% endmacro %}


{#- The snapshot of a sync, if it belongs to this target. With `--defer`, a reference may point to another target's snapshot, which must not
    be written to. -#}
{% macro own_snapshot(sync) %}
    {% if not execute %}{{ return(none) }}{% endif %}
    {% set found = builtins.ref(sync ~ '_sent_snapshot') %}
    {% for node in graph.nodes.values() if node.resource_type == 'model' and node.name == sync ~ '_sent_snapshot' %}
        {% set same = found.identifier | lower == node.alias | lower and found.schema | lower == node.schema | lower
            and (found.database or '') | lower == (node.database or '') | lower %}
        {% if same or (found.database is none and found.identifier | lower == node.alias | lower and found.schema | lower == node.schema | lower) %}
            {{ return(api.Relation.create(database=found.database, schema=found.schema, identifier=found.identifier, type='table')) }}
        {% endif %}
    {% endfor %}
    {{ return(none) }}
{% endmacro %}


{#- `empty` or `sample` if dbt leaves out rows of the model; otherwise empty. -#}
{% macro partial_mode() %}
    {% if invocation_args_dict.get('empty') %}{{ return('empty') }}{% endif %}
    {{ return('sample' if invocation_args_dict.get('sample') else '') }}
{% endmacro %}

{#- Deletions. Their delta has one attribute, `requested_at`, which is never sent. Each (id, requested_at) is requested once, and again only
    for a later time. Without such a column, the time of the build is used, so nobody is requested twice. -#}

{% macro deletions__read_mapping(sync, raw) %}
    {% if raw.get('confirm') != 'erase' %}
        {{ dbt_batch_sync.mapping_error(sync, "`confirm` must be the word `erase`: people are permanently deleted from Batch") }}
    {% endif %}
    {{ return({'key': 'custom_id', 'requested_at': raw.get('requested_at') or '', 'on_exit': 'ignore', 'on_null': 'clear', 'membership': ''}) }}
{% endmacro %}


{% macro deletions__attributes(sync, mapping, columns) %}
    {% set moment = dbt_batch_sync.kept_time_type() %}
    {% set own = {'name': 'requested_at', 'type': 'date', 'dtype': moment, 'keep': false, 'membership': false, 'guarded': false} %}
    {% set used = [dbt_batch_sync.mapped_column(sync, columns, mapping.identifier, 'identifier').name] %}
    {% if mapping.requested_at %}
        {% set column = dbt_batch_sync.mapped_column(sync, columns, mapping.requested_at, 'requested_at') %}
        {% set kind = dbt_batch_sync.column_kind(column) %}
        {% if kind is none or kind.type != 'date' %}
            {{ dbt_batch_sync.mapping_error(sync, "`requested_at` is the column `" ~ column.name ~ "` of type " ~ column.dtype ~ "; it must be a date or a timestamp") }}
        {% endif %}
        {% do used.append(column.name) %}
        {% do own.update({'column': column.name, 'expression': 'cast(' ~ dbt_batch_sync.value_of(column, kind) ~ ' as ' ~ moment ~ ')'}) %}
    {% else %}
        {% set now = dbt_batch_sync.warehouse_now().strftime('%Y-%m-%d %H:%M:%S') %}
        {% do own.update({'column': none, 'expression': 'cast(' ~ dbt.string_literal(now) ~ ' as ' ~ moment ~ ')'}) %}
    {% endif %}
    {% set others = columns | map(attribute='name') | reject('in', used) | list %}
    {% if others %}
        {{ dbt_batch_sync.mapping_error(sync, "the model has columns that are not mapped (" ~ (others | join(', ')) ~ "). A model of deletions has the mapped columns only (" ~ (used | join(', ')) ~ "), so that no other model is taken for one: select them by name") }}
    {% endif %}
    {{ return([own]) }}
{% endmacro %}


{% macro deletions__row_problem(row, mapping, attributes) %}
    {% set problem = dbt_batch_sync.identifier_problem(row, attributes[0]) %}
    {{ return('coalesce(' ~ problem ~ ', case when ' ~ row ~ '.' ~ dbt_batch_sync.column('requested_at') ~ " is null then 'null_requested_at' end)") }}
{% endmacro %}


{#- Whether row `c` of the model is a new request, compared with row `s` of the snapshot. -#}
{% macro is_new_request(mapping) %}
    {% set at = dbt_batch_sync.column('requested_at') %}
    {{ return('s.' ~ at ~ ' is null' ~ (' or c.' ~ at ~ ' > s.' ~ at if mapping.requested_at else '')) }}
{% endmacro %}

{% macro deletions__to_send(mapping, attribute) %}
    {{ return('case when c._batch_here = 1 then (' ~ dbt_batch_sync.is_new_request(mapping) ~ ' or ' ~ dbt_batch_sync.in_doubt('s.' ~ dbt_batch_sync.column('_batch_doubt'), attribute.name) ~ ') else false end') }}
{% endmacro %}

{% macro deletions__held_value(mapping, attribute) %}
    {% set at = dbt_batch_sync.column('requested_at') %}
    {{ return('case when ' ~ dbt_batch_sync.is_new_request(mapping) ~ ' then c.' ~ at ~ ' else s.' ~ at ~ ' end') }}
{% endmacro %}


{#- Batch discards data for an erased person for a month. So every other sync of the same Batch project forgets people whose erasure was
    requested, holds them back during that time, and then treats them as new. Pushes append an `asked` row to the journal before each
    request; everything else is derived from these rows, in whatever order dbt builds. -#}

{#- How long a person is held back. Batch says one month. -#}
{% macro held_back_seconds() %}{{ return(31 * 24 * 3600) }}{% endmacro %}


{#- A query of `row_id` and `asked_at`: the people whose erasure was requested in the Batch project of a sync. Empty if there are none, and
    for syncs that are not about people. -#}
{% macro asked_people(sync, mapping, snapshot) %}
    {% if mapping.kind in ('catalog', 'deletions') %}{{ return('') }}{% endif %}
    {% set project = [] %}
    {% set queries = [] %}
    {% for journal in dbt_batch_sync.erasure_journals(snapshot) %}
        {% if run_query('select key from ' ~ journal ~ " where event = 'asked' limit 1").rows %}
            {% if not project %}{% do project.append(dbt_batch_sync.pushed_project(sync, snapshot)) %}{% endif %}
            {% do queries.append('select key as row_id, recorded_at from ' ~ journal ~ " where event = 'asked'"
                ~ (' and project_hash = ' ~ dbt.string_literal(project[0]) if project[0] else '')) %}
        {% endif %}
    {% endfor %}
    {{ return('select row_id, max(recorded_at) as asked_at from (' ~ queries | join(' union all ') ~ ') as requests group by row_id' if queries else '') }}
{% endmacro %}


{#- The journals that may have `asked` rows: the one beside the snapshot, and those beside deletions in other schemas. -#}
{% macro erasure_journals(snapshot) %}
    {% set own = dbt_batch_sync.beside(api.Relation.create(database=snapshot.database, schema=snapshot.schema, identifier=snapshot.identifier), 'batch_sync_journal') %}
    {% set is_run = flags.WHICH in ('run', 'build', 'retry') %}
    {% set found = [own.render()] if is_run or dbt_batch_sync.existing_table(own.database, own.schema, own.identifier) is not none else [] %}
    {% set names = [] %}
    {% for node in graph.nodes.values() if node.resource_type == 'model' %}
        {% set meta = node.config.get('meta') or node.get('meta') or {} %}
        {% if meta.get('batch_sync') is mapping and meta.batch_sync.get('kind') == 'deletions' %}{% do names.append(node.name ~ '_sent_snapshot') %}{% endif %}
    {% endfor %}
    {% for node in graph.nodes.values() if node.resource_type == 'model' and node.name in names %}
        {% set other = dbt_batch_sync.beside(api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias), 'batch_sync_journal') %}
        {% if other.render() not in found and dbt_batch_sync.existing_table(other.database, other.schema, other.identifier) is not none %}{% do found.append(other.render()) %}{% endif %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}


{#- The hash of the Batch project that a sync was last pushed to. Empty before the first push, and once everything is or will be sent again,
    because that may be to another project. -#}
{% macro pushed_project(sync, snapshot) %}
    {% if dbt_batch_sync.open_requests(sync, snapshot).all %}{{ return('') }}{% endif %}
    {% set rows = run_query(
        'select event, project_hash, max(recorded_at) as last_at from ' ~ dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render() ~ ' where sync = ' ~ dbt.string_literal(sync)
        ~ " and (event = 'intent' or (event = 'merged' and request = 'all')) group by event, project_hash order by last_at desc limit 1"
    ).rows %}
    {{ return((rows[0][1] or '').split('/')[0] if rows and rows[0][0] == 'intent' else '') }}
{% endmacro %}


{#- A query of `row_id`: the people who are held back now. Empty if there are none. -#}
{% macro erased_people(sync, mapping, snapshot) %}
    {% set asked = dbt_batch_sync.asked_people(sync, mapping, snapshot) %}
    {{ return('select row_id from (' ~ asked ~ ') as asked where asked_at > ' ~ dbt_batch_sync.seconds_ago(dbt_batch_sync.held_back_seconds()) if asked else '') }}
{% endmacro %}


{#- Removes erased people from a snapshot and its rejects, because Batch has discarded everything that was sent for them. The delta that was
    just merged contains what was sent before. The snapshot of events keeps their ids, so that none is sent again. -#}
{% macro forget_erased(sync, mapping, snapshot, built) %}
    {% set asked = dbt_batch_sync.asked_people(sync, mapping, snapshot) %}
    {% if asked %}
        {% set key, sent_at, delta_id = dbt_batch_sync.column(mapping.key), dbt_batch_sync.column('_batch_sent_at'), dbt_batch_sync.column('_batch_delta_id') %}
        {% set of_sync = 'sync = ' ~ dbt.string_literal(sync) %}
        {% set journal, rejects = dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render(), dbt_batch_sync.beside(snapshot, 'batch_sync_rejects').render() %}
        {% set known_at = 's.' ~ sent_at %}
        {% if built.delta_id is not none %}
            {% set known_at = 'case when s.' ~ delta_id ~ ' = ' ~ dbt.string_literal(built.delta_id) ~ ' then (select max(recorded_at) from ' ~ journal
                ~ ' where ' ~ of_sync ~ " and event = 'built' and delta_id = " ~ dbt.string_literal(built.delta_id) ~ ') else ' ~ known_at ~ ' end' %}
        {% endif %}
        {% set until = dbt_batch_sync.seconds_after('a.asked_at', dbt_batch_sync.held_back_seconds()) %}
        {% set held = 'select s.' ~ key ~ ' as row_id from ' ~ snapshot.render() ~ ' as s inner join (' ~ asked ~ ') as a on a.row_id = s.' ~ key
            ~ ' where coalesce(' ~ known_at ~ ', ' ~ dbt_batch_sync.utc_now() ~ ') < ' ~ until %}
        {% set of_person = 'inner join (' ~ asked ~ ') as a on a.row_id = r.key' %}
        {% if mapping.kind == 'events' %}
            {% set of_person = 'inner join ' ~ snapshot.render() ~ ' as s on s.' ~ key ~ ' = r.key inner join (' ~ asked ~ ') as a on a.row_id = s.' ~ dbt_batch_sync.column('custom_id') %}
        {% endif %}
        {% set rejected = 'select r.key as row_id from ' ~ rejects ~ ' as r ' ~ of_person ~ ' where r.' ~ of_sync ~ ' and r.rejected_at < ' ~ until %}
        {% if mapping.kind != 'events' and run_query(held ~ ' limit 1').rows %}
            {#- Before the rows are deleted: a snapshot without the rows of the last merge would be mistaken for an older copy. -#}
            {% do run_query(dbt_batch_sync.journal_row(snapshot, sync, 'merged', {'delta_id': dbt.string_literal(invocation_id)})) %}
            {% do run_query(dbt_batch_sync.delete_rows_sql(snapshot.render(), key, held, '')) %}
        {% endif %}
        {% if run_query(rejected ~ ' limit 1').rows %}
            {% do run_query(dbt_batch_sync.delete_rows_sql(rejects, 'key', rejected, of_sync)) %}
        {% endif %}
    {% endif %}
{% endmacro %}


{#- Deletes the rows of a table whose key is a `row_id` of a query, and that meet a condition if one is given. -#}
{% macro delete_rows_sql(table, key, query, condition) %}{{ return(adapter.dispatch('delete_rows_sql', 'dbt_batch_sync')(table, key, query, condition)) }}{% endmacro %}
{% macro default__delete_rows_sql(table, key, query, condition) %}
    {{ return('delete from ' ~ table ~ ' where ' ~ (condition ~ ' and ' if condition else '') ~ key ~ ' in (select row_id from (' ~ query ~ ') as gone)') }}
{% endmacro %}

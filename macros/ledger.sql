{#- The ledger: three tables and a view beside the snapshots. They are created and pruned at the start of a `dbt run`, when only one thread
    works. dbt and pushes append to the journal. Only dbt updates rejects. -#}

{#- The name and kind of each column, in order. -#}
{% macro journal_columns() %}
    {{ return({
        'recorded_at': 'timestamp', 'sync': 'text', 'event': 'text', 'run_id': 'text', 'delta_id': 'text', 'page': 'bigint', 'key': 'text',
        'names': 'text', 'request': 'text', 'answered': 'text', 'merged_delta_id': 'text', 'target': 'text', 'mapping_hash': 'text', 'attribute_types': 'text', 'former_types': 'text',
        'mode': 'text', 'version': 'text', 'model_rows': 'bigint', 'known_rows': 'bigint', 'inserts': 'bigint', 'updates': 'bigint',
        'exits': 'bigint', 'invalid': 'bigint', 'parked': 'bigint', 'unsure': 'bigint', 'output': 'text', 'project_hash': 'text', 'endpoint': 'text',
        'host': 'text', 'process': 'bigint', 'status': 'text', 'started_at': 'timestamp', 'sent': 'bigint', 'accepted': 'bigint',
        'rejected_rows': 'bigint', 'rejected_attributes': 'bigint', 'requests': 'bigint', 'retries': 'bigint', 'settled': 'bigint',
        'seconds': 'double', 'reading_seconds': 'double', 'rendering_seconds': 'double', 'sending_seconds': 'double',
        'recording_seconds': 'double', 'retention_days': 'bigint', 'error': 'text',
        'compared': 'bigint', 'drifted': 'bigint', 'unknown_profiles': 'bigint'
    }) }}
{% endmacro %}

{% macro rejects_columns() %}
    {{ return({
        'rejected_at': 'timestamp', 'sync': 'text', 'run_id': 'text', 'delta_id': 'text', 'key': 'text', 'attribute': 'text',
        'reason': 'text', 'rejected_by': 'text', 'sent_hash': 'text', 'resolved_at': 'timestamp'
    }) }}
{% endmacro %}


{% macro drift_columns() %}
    {{ return({'audited_at': 'timestamp', 'sync': 'text', 'audit_id': 'text', 'key': 'text', 'attribute': 'text', 'difference': 'text'}) }}
{% endmacro %}


{#- The package's `on-run-start`: creates the ledger beside each snapshot that this command may write to. -#}
{% macro prepare_ledger() %}
    {% if execute and flags.WHICH in ('run', 'build', 'retry') %}
        {% set done, wanted = [], dbt_batch_sync.snapshots_of_selected() %}
        {#- An invalid model raises its own error, and the others are built. -#}
        {% for node in graph.nodes.values() if node.unique_id in wanted and not dbt_batch_sync.storage_problem(node) %}
            {% set snapshot = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias, type='table') %}
            {% if snapshot.without_identifier() | string not in done %}
                {% do done.append(snapshot.without_identifier() | string) %}
                {% do dbt_batch_sync.create_ledger(snapshot) %}
                {% do dbt_batch_sync.prune_ledger(snapshot) %}
                {% do dbt_batch_sync.commit_hook() %}
            {% endif %}
        {% endfor %}
    {% endif %}
{% endmacro %}


{#- Commits what this hook has done, because dbt rolls its transaction back. dbt may not know of a transaction that the driver began; a
    statement that begins one makes both agree. -#}
{% macro commit_hook() %}{{ return(adapter.dispatch('commit_hook', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__commit_hook() %}
    {% call statement('commit_hook') %}select 1{% endcall %}
    {% do adapter.commit() %}
{% endmacro %}


{#- The selected snapshots, and those that selected deltas are compared with. -#}
{% macro snapshots_of_selected() %}
    {% set found = [] %}
    {% for node in graph.nodes.values() if node.unique_id in selected_resources and node.resource_type == 'model' %}
        {% if node.config.materialized == 'sent_snapshot' %}{% do found.append(node.unique_id) %}{% endif %}
        {% for parent in node.depends_on.nodes if parent.endswith('_sent_snapshot') %}{% do found.append(parent) %}{% endfor %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}


{% macro create_ledger(snapshot) %}
    {% do dbt_batch_sync.lock_ledger() %}
    {% set made = [] %}
    {% for name, columns in [('batch_sync_journal', dbt_batch_sync.journal_columns()), ('batch_sync_rejects', dbt_batch_sync.rejects_columns()), ('batch_sync_drift', dbt_batch_sync.drift_columns())] %}
        {% set table = dbt_batch_sync.beside(snapshot, name) %}
        {% set have = dbt_batch_sync.columns_of(table) | map(attribute='name') | map('lower') | list if dbt_batch_sync.existing_table(table.database, table.schema, table.identifier) else [] %}
        {% set missing = [] %}
        {% for column, kind in columns.items() if column not in have %}
            {% do missing.append(api.Column.create(dbt_batch_sync.reported_name(column), dbt_batch_sync.ledger_type(kind))) %}
        {% endfor %}
        {% if not have %}
            {% do run_query(dbt_batch_sync.create_ledger_table_sql(table, missing)) %}
            {% do adapter.cache_added(table) %}
            {% do made.append(name) %}
        {% elif missing %}
            {% do dbt_batch_sync.add_columns(table, missing) %}
            {% do made.append(name) %}
        {% endif %}
    {% endfor %}
    {#- The first command of another version of the macros has its own view. -#}
    {% set view = dbt_batch_sync.beside(snapshot, 'batch_sync_runs') %}
    {% if made or not dbt_batch_sync.existing_table(view.database, view.schema, view.identifier) or not dbt_batch_sync.has_built(snapshot) %}
        {% do run_query(dbt_batch_sync.create_view_sql(view, dbt_batch_sync.runs_sql(dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render()))) %}
    {% endif %}
{% endmacro %}


{#- Whether this version of the macros has built a delta beside a snapshot. -#}
{% macro has_built(snapshot) %}
    {% set journal = dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render() %}
    {{ return(run_query("select count(*) as built from " ~ journal ~ " where event = 'built' and version = " ~ dbt.string_literal(dbt_batch_sync.version())).rows[0][0] | int > 0) }}
{% endmacro %}


{#- A relation of the ledger beside a snapshot. -#}
{% macro beside(snapshot, name) %}
    {{ return(snapshot.incorporate(path={'identifier': dbt_batch_sync.reported_name(name)}, type='view' if name == 'batch_sync_runs' else 'table')) }}
{% endmacro %}


{% macro ledger_type(kind) %}
    {{ return({'text': dbt_batch_sync.ledger_text_type(), 'timestamp': dbt_batch_sync.timestamp_type(), 'double': dbt_batch_sync.double_type(), 'bigint': 'bigint'}[kind]) }}
{% endmacro %}

{% macro ledger_text_type() %}{{ return(adapter.dispatch('ledger_text_type', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__ledger_text_type() %}{{ return(dbt_batch_sync.own_text_type()) }}{% endmacro %}


{#- `if not exists`, because two commands may start at the same time. -#}
{% macro create_ledger_table_sql(table, columns) %}{{ return(adapter.dispatch('create_ledger_table_sql', 'dbt_batch_sync')(table, columns)) }}{% endmacro %}
{% macro default__create_ledger_table_sql(table, columns) -%}
    create table if not exists {{ table.render() }} (
    {%- for column in columns %}
        {{ column.name }} {{ column.dtype }}{{ ',' if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}


{% macro create_view_sql(view, query) %}{{ return(adapter.dispatch('create_view_sql', 'dbt_batch_sync')(view, query)) }}{% endmacro %}
{% macro default__create_view_sql(view, query) %}{{ return('create or replace view ' ~ view.render() ~ ' as ' ~ query) }}{% endmacro %}


{#- Lets one command at a time create the ledger, if `if not exists` is not enough. -#}
{% macro lock_ledger() %}{{ return(adapter.dispatch('lock_ledger', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__lock_ledger() %}{% endmacro %}


{#- One row per run and sync. A run that has no end and was silent for a minute is dead. -#}
{% macro runs_sql(journal) -%}
    select
        run_id,
        sync,
        case
            when max(case when event = 'ended' then 1 else 0 end) = 1 then max(case when event = 'ended' then status end)
            when max(recorded_at) > {{ dbt_batch_sync.seconds_ago(60) }} then 'running'
            else 'failed'
        end as status,
        max(started_at) as started_at,
        max(case when event = 'ended' then recorded_at end) as finished_at,
        max(case when event in ('claimed', 'ended') then delta_id end) as delta_id,
        {%- for name in ['endpoint', 'output', 'project_hash', 'mapping_hash', 'version', 'target', 'host', 'process', 'inserts', 'updates',
            'exits', 'invalid', 'parked', 'unsure', 'sent', 'accepted', 'rejected_rows', 'rejected_attributes', 'requests', 'retries', 'settled',
            'seconds', 'reading_seconds', 'rendering_seconds', 'sending_seconds', 'recording_seconds'] %}
        max({{ name }}) as {{ name }},
        {%- endfor %}
        case
            when max(case when event = 'ended' then 1 else 0 end) = 1 then max(error)
            when max(recorded_at) <= {{ dbt_batch_sync.seconds_ago(60) }} then 'process ended unexpectedly (killed, or host lost)'
        end as error
    from {{ journal }}
    where event in ('claimed', 'beat', 'intent', 'checkpoint', 'released', 'ended')
    group by run_id, sync
{%- endmacro %}


{#- The current UTC time of the warehouse, as `timestamp_type`. -#}
{% macro utc_now() %}{{ return(adapter.dispatch('utc_now', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__utc_now() %}{{ dbt_batch_sync.unsupported() }}{% endmacro %}

{% macro seconds_ago(seconds) %}{{ return(adapter.dispatch('seconds_ago', 'dbt_batch_sync')(seconds)) }}{% endmacro %}
{% macro default__seconds_ago(seconds) %}{{ return(dbt_batch_sync.utc_now() ~ " - interval '" ~ seconds ~ " seconds'") }}{% endmacro %}

{% macro seconds_after(moment, seconds) %}{{ return(adapter.dispatch('seconds_after', 'dbt_batch_sync')(moment, seconds)) }}{% endmacro %}
{% macro default__seconds_after(moment, seconds) %}{{ return(moment ~ " + interval '" ~ seconds ~ " seconds'") }}{% endmacro %}


{#- The statement that appends a row to the journal. `values` are SQL expressions by column. -#}
{% macro journal_row(snapshot, sync, event, values) -%}
    {%- set columns = dbt_batch_sync.journal_columns() -%}
    {%- set row = {'sync': dbt.string_literal(sync), 'event': dbt.string_literal(event)} -%}
    {%- do row.update(values) -%}
    {%- set all = dbt_batch_sync.inserts_name_all_columns() -%}
    {%- if all -%}
        {%- for name in columns if name not in row and name != 'recorded_at' %}{% do row.update({name: 'null'}) %}{% endfor -%}
    {%- endif -%}
    insert into {{ dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render() }} (recorded_at, {{ row.keys() | join(', ') }})
    select {{ dbt_batch_sync.utc_now() }}
    {%- for name, expression in row.items() %}, cast({{ expression }} as {{ dbt_batch_sync.own_text_type() if columns[name] == 'text' else dbt_batch_sync.ledger_type(columns[name]) }}){{ ' as ' ~ name if all }}{% endfor %}
{%- endmacro %}


{#- Whether an insert must name every column, because some table formats don't fill in missing ones. -#}
{% macro inserts_name_all_columns() %}{{ return(adapter.dispatch('inserts_name_all_columns', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__inserts_name_all_columns() %}{{ return(false) }}{% endmacro %}


{#- Deletes merged rows that are older than the retention: journal rows of earlier deltas, and resolved rejects. Rows about erasures stay as
    proof. -#}
{% macro prune_ledger(snapshot) %}
    {% set journal = dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render() %}
    {% set rejects = dbt_batch_sync.beside(snapshot, 'batch_sync_rejects').render() %}
    {% set query %}
        select
            sync,
            max(case when event = 'built' then recorded_at end) as built_at,
            max(case when event = 'intent' then recorded_at end) as intended_at,
            max(case when event = 'merged' then recorded_at end) as merged_at,
            min(recorded_at) as oldest,
            max(case when event = 'ended' then retention_days end) as retention_days
        from {{ journal }}
        group by sync
    {% endset %}
    {% set now = dbt_batch_sync.warehouse_now() %}
    {% set old, days = [], [] %}
    {% for row in run_query(query).rows %}
        {% do days.append((90 if row[5] is none else row[5]) | int) %}
        {% set last = [now - modules.datetime.timedelta(days=days[-1])] %}
        {% for moment in [row[1], row[2]] if moment is not none %}{% do last.append(dbt_batch_sync.moment_of(moment)) %}{% endfor %}
        {#- A merge answers all requests and doubts, except those of its last minutes. -#}
        {% if row[3] is not none %}{% do last.append(dbt_batch_sync.moment_of(row[3]) - modules.datetime.timedelta(days=1)) %}{% endif %}
        {% if row[1] is not none and dbt_batch_sync.moment_of(row[4]) < last | min - modules.datetime.timedelta(days=1) %}
            {% do old.append('(sync = ' ~ dbt.string_literal(row[0]) ~ ' and recorded_at < ' ~ dbt_batch_sync.utc_timestamp((last | min).strftime('%Y-%m-%d %H:%M:%S')) ~ ')') %}
        {% endif %}
    {% endfor %}
    {% if old %}
        {% do run_query('delete from ' ~ journal ~ " where event not in ('asked', 'pending', 'done') and (" ~ old | join(' or ') ~ ')') %}
        {% do run_query('delete from ' ~ dbt_batch_sync.beside(snapshot, 'batch_sync_drift').render() ~ ' where ' ~ old | join(' or ') | replace('recorded_at', 'audited_at')) %}
    {% endif %}
    {% set cutoff = dbt_batch_sync.utc_timestamp((now - modules.datetime.timedelta(days=(days or [90]) | max)).strftime('%Y-%m-%d %H:%M:%S')) %}
    {% if run_query('select count(*) from ' ~ rejects ~ ' where resolved_at < ' ~ cutoff).rows[0][0] %}
        {% do run_query('delete from ' ~ rejects ~ ' where resolved_at < ' ~ cutoff) %}
    {% endif %}
{% endmacro %}

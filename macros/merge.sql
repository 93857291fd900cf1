{#- Before a delta is rebuilt, what pushes did with the old one becomes the snapshot's. Rows of pages up to the last checkpoint are what Batch
    holds now, but for rejected ones. Rows between the checkpoint and the last intent, or all behind it while a push is alive, are in
    doubt: their names go to `_batch_doubt` (`,name,,name,`), and every later delta sends them until they are settled. The statements are
    the same after a clean push and after a kill, and doing them again changes nothing. -#}


{#- The first hook of a delta, outside of the model's transaction: a push that claims the sync after it sees that dbt is at work, and one
    that claimed it before is seen by `merge_sent`. -#}
{% macro announce_build(sync) %}
    {% set snapshot = dbt_batch_sync.own_snapshot(sync) %}
    {% if snapshot is not none %}
        {{ dbt_batch_sync.journal_row(snapshot, sync, 'building', {'delta_id': dbt.string_literal(invocation_id)}) }}
        {{- dbt_batch_sync.commit_at_once() }}
    {% elif execute %}
        {% do log("dbt_batch_sync: " ~ this.identifier ~ " is compared with the snapshot of another target (--defer), which is not written to. It can't be pushed.", info=true) %}
    {% endif %}
{% endmacro %}

{% macro commit_at_once() %}{{ return(adapter.dispatch('commit_at_once', 'dbt_batch_sync')()) }}{% endmacro %}
{% macro default__commit_at_once() %}{% endmacro %}


{#- The second hook: merges the old delta into the snapshot, and puts in doubt what is asked for again. -#}
{% macro merge_sent(sync) %}
    {% set snapshot = dbt_batch_sync.own_snapshot(sync) if execute else none %}
    {% if snapshot is not none %}
        {% set built = dbt_batch_sync.last_built(sync, snapshot) %}
        {% set found = dbt_batch_sync.found_delta(this) %}
        {% set progress = dbt_batch_sync.progress(sync, snapshot, built) %}
        {% do dbt_batch_sync.check_delta(sync, snapshot, built, found, progress) %}
        {% set names = dbt_batch_sync.snapshot_columns(snapshot, [none]) %}
        {% set types = dbt_batch_sync.current_types(sync) %}
        {% set retyped = [] %}
        {% for name, type in built.types.items() if types.get(name, type) != type and name in names %}{% do retyped.append(name) %}{% endfor %}
        {% set merged = built.delta_id is not none and found == built.delta_id and (progress.settled or progress.sent_page is not none) %}
        {% if merged %}{% do dbt_batch_sync.merge_delta(sync, snapshot, this, built, progress, names, retyped) %}{% endif %}
        {% do dbt_batch_sync.mark_retyped(snapshot, names, retyped) %}
        {% set answered = dbt_batch_sync.answer_requests(sync, snapshot, names, types) %}
        {{ dbt_batch_sync.journal_row(snapshot, sync, 'merged', {
            'delta_id': dbt.string_literal(invocation_id),
            'merged_delta_id': dbt.string_literal(built.delta_id) if merged and dbt_batch_sync.has_rows_of(snapshot, built.delta_id) else 'null',
            'answered': dbt.string_literal(answered.ids | join(',')),
            'request': "'all'" if answered.all else 'null'
        }) }}
    {% endif %}
{% endmacro %}


{#- The last hook: tells pushes what there is. -#}
{% macro record_build(sync) %}
    {% set snapshot = dbt_batch_sync.own_snapshot(sync) if execute else none %}
    {% if snapshot is not none %}
        {% do dbt_batch_sync.resolve_vanished(sync, snapshot, this) %}
        {% set query %}
            select {{ dbt_batch_sync.column('_batch_change') }}, case when {{ dbt_batch_sync.column('_batch_reason') }} = 'parked' then 1 else 0 end as is_parked,
                count(*) as delta_rows, max({{ dbt_batch_sync.column('_batch_page') }}) as last_page
            from {{ this.render() }}
            group by 1, 2
        {% endset %}
        {% set counts, pages = {}, [] %}
        {% for row in run_query(query).rows %}
            {% do counts.update({'parked' if row[1] | int else row[0]: row[2] | int}) %}
            {% do pages.append(row[3] | int) %}
        {% endfor %}
        {% set known = dbt_batch_sync.known_counts(snapshot, this, counts) %}
        {% set model_rows = known.known - counts.get('exit', 0) + known.leaving_again + counts.get('insert', 0) + known.returning + counts.get('invalid', 0) + counts.get('parked', 0) %}
        {% set merged = dbt_batch_sync.merged_since(sync, snapshot) %}
        {% set mapping, types, former = dbt_batch_sync.sync_mapping(sync), dbt_batch_sync.current_types(sync), {} %}
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
            'invalid': counts.get('invalid', 0), 'parked': counts.get('parked', 0),
            'page': pages | max if pages else 'null',
            'answered': dbt.string_literal(merged.answered | join(',')), 'request': "'all'" if merged.all else 'null'
        }) }}
    {% endif %}
{% endmacro %}


{#- What was answered since the last build: by this command, and by one that died before it had built. A build that another command
    recorded meanwhile is an error: what was pushed of it would not be merged. -#}
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
    {{ return({'answered': answered, 'all': 'all' in requests}) }}
{% endmacro %}


{#- The snapshot of a sync if it is this target's own. Under `--defer` a reference may be another target's, which must not be written to. -#}
{% macro own_snapshot(sync) %}
    {% if not execute %}{{ return(none) }}{% endif %}
    {% set found = ref(sync ~ '_sent_snapshot') %}
    {% for node in graph.nodes.values() if node.resource_type == 'model' and node.name == sync ~ '_sent_snapshot' %}
        {% set same = found.identifier | lower == node.alias | lower and found.schema | lower == node.schema | lower
            and (found.database or '') | lower == (node.database or '') | lower %}
        {% if same or (found.database is none and found.identifier | lower == node.alias | lower and found.schema | lower == node.schema | lower) %}
            {{ return(api.Relation.create(database=found.database, schema=found.schema, identifier=found.identifier, type='table')) }}
        {% endif %}
    {% endfor %}
    {{ return(none) }}
{% endmacro %}


{#- `empty` or `sample` where dbt leaves rows out of the model; else nothing. -#}
{% macro partial_mode() %}
    {% if invocation_args_dict.get('empty') %}{{ return('empty') }}{% endif %}
    {{ return('sample' if invocation_args_dict.get('sample') else '') }}
{% endmacro %}


{#- What the last `built` row says: delta_id (none before the first build), whether that delta has rows, and the type of each attribute that was
    ever mapped, by name. -#}
{% macro last_built(sync, snapshot) %}
    {% set rows = run_query(
        'select delta_id, attribute_types, former_types, page from ' ~ dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render()
        ~ ' where sync = ' ~ dbt.string_literal(sync) ~ " and event = 'built' order by recorded_at desc limit 1"
    ).rows %}
    {% set types = {} %}
    {% for pair in ((rows[0][2] or '') ~ ',' ~ (rows[0][1] or '') if rows else '').split(',') if ':' in pair %}
        {% do types.update({pair.split(':')[0]: pair.split(':')[1]}) %}
    {% endfor %}
    {{ return({'delta_id': rows[0][0] if rows else none, 'types': types, 'has_rows': rows and rows[0][3] is not none}) }}
{% endmacro %}


{#- The id of the delta that stands there: none without such a table, '' where it has no row or is no delta of ours. -#}
{% macro found_delta(delta) %}
    {% set existing = dbt_batch_sync.existing_table(delta.database, delta.schema, delta.identifier) %}
    {% if existing is none %}{{ return(none) }}{% endif %}
    {% if '_batch_delta_id' not in (dbt_batch_sync.columns_of(delta) | map(attribute='name') | map('lower') | list) %}{{ return('') }}{% endif %}
    {% set rows = run_query('select ' ~ dbt_batch_sync.column('_batch_delta_id') ~ ' from ' ~ delta.render() ~ ' limit 1').rows %}
    {{ return(rows[0][0] if rows else '') }}
{% endmacro %}


{#- How far pushes are with a delta. `settled`: whether any page is, up to `page` and, in the page behind it, up to `key`; `sent_page`: up to
    which page something may have been sent; `runs`: which of them settled which pages, in their order. -#}
{% macro progress(sync, snapshot, built) %}
    {% set journal = dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render() %}
    {% set own = 'delta_id = ' ~ dbt.string_literal(built.delta_id or '') %}
    {% set query %}
        select
            run_id,
            max(case when {{ own }} and event = 'checkpoint' then page end) as settled_page,
            max(case when {{ own }} and event = 'checkpoint' then recorded_at end) as settled_at,
            max(case when {{ own }} and event = 'intent' then page end) as intent_page,
            max(case when {{ own }} and event = 'ended' then page end) as ended_page,
            max(case when event = 'ended' then 1 else 0 end) as has_ended,
            case
                when max(case when event in ('ended', 'released') then recorded_at end) is null then 0
                when max(case when event in ('ended', 'released') then recorded_at end) < max(case when event = 'claimed' then recorded_at end) then 0
                else 1
            end as is_over,
            case when max(recorded_at) > {{ dbt_batch_sync.seconds_ago(90) }} then 1 else 0 end as is_heard,
            max(case when {{ own }} and event = 'checkpoint' then key end) as settled_key
        from {{ journal }}
        where sync = {{ dbt.string_literal(sync) }} and event in ('claimed', 'beat', 'intent', 'checkpoint', 'released', 'ended')
            and ({{ own }} or recorded_at > {{ dbt_batch_sync.seconds_ago(90) }})
        group by run_id
        order by 2, 3
    {% endset %}
    {#- Only the last checkpoint of a run, of a push with a limit, has a key. -#}
    {% set settled, sent, runs, alive = [], [], [], [] %}
    {% for row in run_query(query).rows %}
        {% if row[1] is not none %}
            {% do settled.append(row[1] | int) %}
            {% do runs.append({'run_id': row[0], 'page': row[1] | int, 'at': row[2], 'key': row[8]}) %}
        {% endif %}
        {% set upto = row[4] if row[5] | int else row[3] %}
        {% if upto is not none %}{% do sent.append(upto | int) %}{% endif %}
        {% if not row[6] | int and row[7] | int %}{% do alive.append(row[0]) %}{% endif %}
    {% endfor %}
    {% set page = settled | max if settled else -1 %}
    {% set keys = [none] %}
    {% for run in runs if run.page == page and run.key is not none %}{% do keys.append(run.key) %}{% endfor %}
    {{ return({
        'settled': settled | length > 0, 'page': page, 'key': keys[-1], 'runs': runs, 'alive': alive,
        'sent_page': 9000000000000000000 if alive else (sent | max if sent and sent | max > page else none)
    }) }}
{% endmacro %}


{#- A delta that pushes worked on and that is gone before it was merged took with it what Batch was told; a snapshot without the rows that
    were merged last is another one. Both would be a silent loss; a `resend --all` means it, until what it sends is merged. -#}
{% macro check_delta(sync, snapshot, built, found, progress) %}
    {% set journal = dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render() %}
    {% set row = run_query(
        "select max(case when event = 'built' then recorded_at end), max(case when event = 'merged' then recorded_at end),"
        " max(case when event = 'merged' and merged_delta_id is not null then recorded_at end),"
        " max(case when event = 'merged' and request = 'all' then recorded_at end) from " ~ journal
        ~ ' where sync = ' ~ dbt.string_literal(sync) ~ " and event in ('built', 'merged')"
    ).rows[0] %}
    {% set lost = none %}
    {% set pushed = progress.settled or progress.sent_page is not none %}
    {% if pushed and built.has_rows and found != built.delta_id and not (row[1] is not none and row[1] > row[0]) %}
        {% set lost = this.render() ~ (' is gone' if found is none else ' is not the delta that was pushed') ~ ', and what Batch accepted of it is not in ' ~ snapshot.identifier ~ ' yet' %}
    {% elif row[2] is not none and (row[3] is none or row[3] < row[2]) %}
        {% set last = run_query(
            'select merged_delta_id from ' ~ journal ~ ' where sync = ' ~ dbt.string_literal(sync)
            ~ " and event = 'merged' and merged_delta_id is not null order by recorded_at desc limit 1"
        ).rows[0][0] %}
        {% if not dbt_batch_sync.has_rows_of(snapshot, last) %}
            {% set lost = snapshot.render() ~ ' lacks the rows that were merged into it last (it was emptied, or restored from an older copy)' %}
        {% endif %}
    {% endif %}
    {% if lost and not dbt_batch_sync.open_requests(sync, snapshot).all %}
        {{ exceptions.raise_compiler_error(
            'dbt_batch_sync: ' ~ lost ~ '. Restore the table; or send everything again: dbt-batch-sync resend --all --select ' ~ sync
            ~ ', then dbt run and dbt-batch-sync push'
        ) }}
    {% endif %}
{% endmacro %}


{#- Whether a snapshot has rows that were merged from a delta. -#}
{% macro has_rows_of(snapshot, delta_id) %}
    {% set query = 'select 1 from ' ~ snapshot.render() ~ ' where ' ~ dbt_batch_sync.column('_batch_delta_id') ~ ' = ' ~ dbt.string_literal(delta_id) ~ ' limit 1' %}
    {{ return(run_query(query).rows | length > 0) }}
{% endmacro %}


{#- The conditions for a row of a delta, as `d`: that it is settled, and that it may have been sent without being settled. -#}
{% macro is_settled(progress, alias='d') -%}
    {%- set page = alias ~ '.' ~ dbt_batch_sync.column('_batch_page') -%}
    ({{ page }} <= {{ progress.page }}
    {%- if progress.key is not none %} or ({{ page }} = {{ progress.page + 1 }} and {{ alias }}.{{ dbt_batch_sync.column('custom_id') }} <= {{ dbt_batch_sync.key_literal(progress.key) }}){% endif %})
{%- endmacro %}

{#- An identifier as SQL: whoever names the customers may use every character. -#}
{% macro key_literal(key) %}{{ return(adapter.dispatch('key_literal', 'dbt_batch_sync')(key)) }}{% endmacro %}
{% macro default__key_literal(key) %}{{ return("'" ~ (key | replace("'", "''")) ~ "'") }}{% endmacro %}


{#- The last page of which the run of a reject has settled rows; -1 if it was killed or overtaken before. A later run then sent these rows
    again, and its answer counts. With a limit a run sends no more of a page than it settles. -#}
{% macro reached_by_run(progress) -%}
    {%- if progress.runs -%}
    max(case run_id
        {%- for run in progress.runs %} when {{ dbt_batch_sync.text_literal(run.run_id) }} then {{ run.page + (1 if run.key is not none else 0) }}{% endfor %} else -1 end)
    {%- else -%} -1 {%- endif -%}
{%- endmacro %}


{#- The rows of a delta that are merged: `_batch_settled` is 1 for those that Batch holds, 0 for those in doubt. Rejected rows are left out, but
    where a row may have gone in several requests: some of it may be there. -#}
{% macro sent_rows(sync, snapshot, delta, built, progress, columns) -%}
    {%- set id = dbt_batch_sync.column('custom_id') -%}
    {%- set settled = dbt_batch_sync.is_settled(progress) -%}
    {%- set split = dbt_batch_sync.may_split(built.types) -%}
    select
        d.*,
        case when {{ settled }} and r.row_id is null then 1 else 0 end as _batch_settled
    from (select * from {{ delta.render() }}) as d
    left join (
        select key as row_id, {{ dbt_batch_sync.reached_by_run(progress) }} as reached
        from {{ dbt_batch_sync.beside(snapshot, 'batch_sync_rejects').render() }}
        where sync = {{ dbt.string_literal(sync) }} and delta_id = {{ dbt.string_literal(built.delta_id) }} and attribute is null
        group by key
    ) as r on r.row_id = d.{{ id }} and d.{{ dbt_batch_sync.column('_batch_page') }} <= r.reached
    where d.{{ dbt_batch_sync.column('_batch_change') }} <> 'invalid'
        and (
            ({{ settled }} and {{ "(r.row_id is null or d." ~ dbt_batch_sync.column('_batch_changed') ~ " <> '')" if split else 'r.row_id is null' }})
            {%- if progress.sent_page is not none %}
            or (d.{{ dbt_batch_sync.column('_batch_page') }} <= {{ progress.sent_page }} and not {{ settled }} and d.{{ dbt_batch_sync.column('_batch_changed') }} <> '')
            {%- endif %}
        )
{%- endmacro %}


{#- A row with more than 50 attributes, or 15 arrays, goes in several requests. -#}
{% macro may_split(types) %}
    {{ return(types | length > 50 or types.values() | select('equalto', 'string_array') | list | length > 15) }}
{% endmacro %}


{#- Merges a delta into its snapshot, then brings the rejects to what it says. -#}
{% macro merge_delta(sync, snapshot, delta, built, progress, names, retyped) %}
    {% do dbt_batch_sync.refresh_statistics(dbt_batch_sync.beside(snapshot, 'batch_sync_rejects')) %}
    {% set columns = dbt_batch_sync.merged_columns(snapshot, delta, names) %}
    {% set source = dbt_batch_sync.sent_rows(sync, snapshot, delta, built, progress, columns) %}
    {% set in_doubt = progress.sent_page is not none or dbt_batch_sync.may_split(built.types) %}
    {% for statement in dbt_batch_sync.merge_statements(snapshot, source, columns, names, retyped, built, progress, in_doubt) %}
        {% do run_query(statement) %}
    {% endfor %}
    {% if progress.settled %}{% do dbt_batch_sync.resolve_accepted(sync, snapshot, delta, built, progress) %}{% endif %}
{% endmacro %}


{#- Has the planner know how many rows a table has by now, where it would go by what it knew before a push. -#}
{% macro refresh_statistics(table) %}{{ return(adapter.dispatch('refresh_statistics', 'dbt_batch_sync')(table)) }}{% endmacro %}
{% macro default__refresh_statistics(table) %}{% endmacro %}


{#- The attribute columns that a delta and its snapshot have: name, and its value in the snapshot's type. -#}
{% macro merged_columns(snapshot, delta, names) %}
    {% set wanted = {} %}
    {% for column in dbt_batch_sync.columns_of(snapshot) if column.name | lower in names %}{% do wanted.update({column.name | lower: column}) %}{% endfor %}
    {% set columns = [] %}
    {% for column in dbt_batch_sync.columns_of(delta) if column.name | lower in wanted %}
        {% set name = column.name | lower %}
        {% set have, want = dbt_batch_sync.column_kind(column), dbt_batch_sync.column_kind(wanted[name]) %}
        {% set value = 'd.' ~ dbt_batch_sync.column(name) %}
        {% if have != want %}
            {% set value = dbt_batch_sync.converted(value, have, want.dtype, have is not none and have.type == want.type) %}
        {% endif %}
        {% do columns.append({'name': name, 'value': value, 'dtype': want.dtype}) %}
    {% endfor %}
    {{ return(columns) }}
{% endmacro %}


{#- A value in another type; null where it can't be converted. `widens`: every value can. -#}
{% macro converted(expression, have, dtype, widens) %}{{ return(adapter.dispatch('converted', 'dbt_batch_sync')(expression, have, dtype, widens)) }}{% endmacro %}
{#- Anything becomes a text, and otherwise only what is as wide keeps its values: there is no `try_cast`. -#}
{% macro default__converted(expression, have, dtype, widens) %}
    {{ return('cast(' ~ (expression if widens or dtype == dbt_batch_sync.text_type() else 'null') ~ ' as ' ~ dtype ~ ')') }}
{% endmacro %}


{#- The doubt that stays once a row is settled: names that it did not send. Attributes of another type by now are in doubt anew. -#}
{% macro doubt_left(names, retyped, columns) -%}
    {%- set doubt = 's.' ~ dbt_batch_sync.column('_batch_doubt') -%}
    {%- set listed = "',' || d." ~ dbt_batch_sync.column('_batch_changed') ~ " || ','" -%}
    {%- set have = columns | map(attribute='name') | list -%}
    {%- set left = [] -%}
    {%- for name in names %}{% do left.append("case when " ~ dbt_batch_sync.in_doubt(doubt, name) ~ " and not " ~ dbt_batch_sync.in_doubt(listed, name) ~ " then '," ~ name ~ ",' else '' end") %}{% endfor -%}
    {%- set stays = "case when " ~ doubt ~ " is not null then " ~ (left | join(' || ') if left else "''") ~ " else '' end" -%}
    {%- set anew = [] -%}
    {%- for name in retyped if name in have %}{% do anew.append("case when d." ~ dbt_batch_sync.column(name) ~ " is not null then '," ~ name ~ ",' else '' end") %}{% endfor -%}
    {%- if anew -%}
        nullif({{ dbt_batch_sync.joined_names('(' ~ ([stays] + anew) | join(' || ') ~ ')', names) }}, '')
    {%- else -%}
        nullif({{ stays }}, '')
    {%- endif -%}
{%- endmacro %}


{#- The doubt of a row that may have been sent: what it had, and the names that it sends. -#}
{% macro doubt_added(names) -%}
    {{ dbt_batch_sync.joined_names("coalesce(s." ~ dbt_batch_sync.column('_batch_doubt') ~ ", '') || ',' || replace(d." ~ dbt_batch_sync.column('_batch_changed') ~ ", ',', ',,') || ','", names) }}
{%- endmacro %}


{#- Each name once, however often it is in the text. -#}
{% macro joined_names(expression, names) -%}
    {%- set parts = [] -%}
    {%- for name in names %}{% do parts.append("case when " ~ dbt_batch_sync.in_doubt(expression, name) ~ " then '," ~ name ~ ",' else '' end") %}{% endfor -%}
    {{ parts | join(' || ') if parts else "''" }}
{%- endmacro %}


{#- What the snapshot's row becomes when a row of the delta is settled, by column: SQL about `d` and `s`. -#}
{% macro settled_values(columns, names, retyped, built, progress) %}
    {% set values = {'custom_id': 'd.' ~ dbt_batch_sync.column('custom_id')} %}
    {% for column in columns %}{% do values.update({column.name: column.value}) %}{% endfor %}
    {% set change, page = 'd.' ~ dbt_batch_sync.column('_batch_change'), 'd.' ~ dbt_batch_sync.column('_batch_page') %}
    {% set at, by = [], [] %}
    {% for run in progress.runs %}
        {% set reaches = 'when ' ~ page ~ ' <= ' ~ run.page if not loop.last else 'else' %}
        {% do at.append(reaches ~ (' then ' if not loop.last else ' ') ~ dbt_batch_sync.utc_timestamp(run.at.strftime('%Y-%m-%d %H:%M:%S'))) %}
        {% do by.append(reaches ~ (' then ' if not loop.last else ' ') ~ dbt_batch_sync.text_literal(run.run_id)) %}
    {% endfor %}
    {% set single = progress.runs | length == 1 %}
    {% set sent_at = at[0][5:] if single else 'case ' ~ at | join(' ') ~ ' end' %}
    {% do values.update({
        '_batch_sent_at': sent_at,
        '_batch_run_id': by[0][5:] if single else 'case ' ~ by | join(' ') ~ ' end',
        '_batch_delta_id': dbt_batch_sync.text_literal(built.delta_id),
        '_batch_exited_at': "case when " ~ change ~ " = 'exit' then coalesce(s." ~ dbt_batch_sync.column('_batch_exited_at') ~ ', ' ~ sent_at ~ ') end',
        '_batch_doubt': dbt_batch_sync.text(dbt_batch_sync.doubt_left(names, retyped, columns)),
        '_batch_opted_out': dbt_batch_sync.text(dbt_batch_sync.opted_out(columns, true))
    }) %}
    {{ return(values) }}
{% endmacro %}


{#- The statements that merge `source` (see `sent_rows`) into a snapshot. -#}
{% macro merge_statements(snapshot, source, columns, names, retyped, built, progress, in_doubt) %}
    {{ return(adapter.dispatch('merge_statements', 'dbt_batch_sync')(snapshot, source, columns, names, retyped, built, progress, in_doubt)) }}
{% endmacro %}

{#- One MERGE, which is atomic by itself. -#}
{% macro default__merge_statements(snapshot, source, columns, names, retyped, built, progress, in_doubt) %}
    {% set id, doubt, memory = dbt_batch_sync.column('custom_id'), dbt_batch_sync.column('_batch_doubt'), dbt_batch_sync.column('_batch_opted_out') %}
    {% set merge -%}
        merge into {{ snapshot.render() }} as s
        using ({{ source }}) as d
        on s.{{ id }} = d.{{ id }}
        {%- if progress.settled %}
        {%- set values = dbt_batch_sync.settled_values(columns, names, retyped, built, progress) %}
        {%- set inserted = dbt_batch_sync.inserted_values(values) %}
        when matched and d._batch_settled = 1 then update set
            {%- for name, value in values.items() if name != 'custom_id' %}
            {{ dbt_batch_sync.column(name) }} = {{ value }}{{ ',' if not loop.last }}
            {%- endfor %}
        when not matched and d._batch_settled = 1 then insert (
            {%- for name in inserted %}{{ dbt_batch_sync.column(name) }}{{ ', ' if not loop.last }}{% endfor -%}
        ) values ({{ inserted.values() | join(', ') }})
        {%- endif %}
        {%- if in_doubt %}
        when matched and d._batch_settled = 0 then update set
            {{ doubt }} = {{ dbt_batch_sync.doubt_added(names) }},
            {{ memory }} = {{ dbt_batch_sync.text(dbt_batch_sync.opted_out(columns, false)) }}
        when not matched and d._batch_settled = 0 then insert ({{ id }}, {{ doubt }}, {{ memory }})
            values (d.{{ id }}, {{ dbt_batch_sync.of_new_row(dbt_batch_sync.doubt_added(names)) }}, {{ dbt_batch_sync.text(dbt_batch_sync.of_new_row(dbt_batch_sync.opted_out(columns, false))) }})
        {%- endif %}
    {%- endset %}
    {{ return([merge]) }}
{% endmacro %}

{#- The same of a row that the snapshot does not have. -#}
{% macro inserted_values(values) %}
    {% set inserted = {} %}
    {% for name, value in values.items() %}{% do inserted.update({name: dbt_batch_sync.of_new_row(value)}) %}{% endfor %}
    {{ return(inserted) }}
{% endmacro %}

{% macro of_new_row(expression) %}
    {% set known = ['_batch_doubt', '_batch_exited_at', '_batch_opted_out'] %}
    {% set result = [expression] %}
    {% for name in known %}{% do result.append(result[-1] | replace('s.' ~ dbt_batch_sync.column(name), 'null')) %}{% endfor %}
    {{ return(result[-1]) }}
{% endmacro %}


{#- For warehouses where a MERGE costs ten times as much, or takes no subquery: the new rows, then the old ones away, in the model's
    transaction. -#}
{% macro replacing_statements(snapshot, source, columns, names, retyped, built, progress, in_doubt) %}
    {% set id, doubt, memory = dbt_batch_sync.column('custom_id'), dbt_batch_sync.column('_batch_doubt'), dbt_batch_sync.column('_batch_opted_out') %}
    {% set delta_id = dbt_batch_sync.column('_batch_delta_id') %}
    {% set target, this_delta = snapshot.render(), dbt_batch_sync.text_literal(built.delta_id) %}
    {% set statements = [] %}
    {% if progress.settled %}
        {% set values = dbt_batch_sync.settled_values(columns, names, retyped, built, progress) %}
        {% set others = names | reject('in', columns | map(attribute='name') | list) | list %}
        {% set insert -%}
            insert into {{ target }} (
                {%- for name in values %}{{ dbt_batch_sync.column(name) }}{{ ', ' if not loop.last }}{% endfor -%}
                {%- for name in others %}, {{ dbt_batch_sync.column(name) }}{% endfor -%}
            )
            select
                {%- for value in values.values() %}
                {{ value }}{{ ',' if not loop.last }}
                {%- endfor %}
                {%- for name in others %},
                s.{{ dbt_batch_sync.column(name) }}
                {%- endfor %}
            from ({{ source }}) as d
            left join {{ target }} as s on s.{{ id }} = d.{{ id }}
            where d._batch_settled = 1 and (s.{{ delta_id }} is null or s.{{ delta_id }} <> {{ this_delta }})
        {%- endset %}
        {% set delete -%}
            delete from {{ target }}
            where ({{ delta_id }} is null or {{ delta_id }} <> {{ this_delta }})
                and {{ id }} in (select d.{{ id }} from ({{ source }}) as d where d._batch_settled = 1)
        {%- endset %}
        {% do statements.extend([insert, delete]) %}
    {% endif %}
    {% if in_doubt %}
        {% set rows = 'select * from (' ~ source ~ ') as sent where sent._batch_settled = 0' %}
        {% set update -%}
            update {{ target }}
            set {{ doubt }} = d.doubt, {{ memory }} = d.memory
            from (
                select s.{{ id }}, {{ dbt_batch_sync.doubt_added(names) }} as doubt, {{ dbt_batch_sync.text(dbt_batch_sync.opted_out(columns, false)) }} as memory
                from ({{ rows }}) as d
                inner join {{ target }} as s on s.{{ id }} = d.{{ id }}
            ) as d
            where {{ target }}.{{ id }} = d.{{ id }}
        {%- endset %}
        {% set insert -%}
            insert into {{ target }} ({{ id }}, {{ doubt }}, {{ memory }})
            select d.{{ id }}, {{ dbt_batch_sync.doubt_added(names) }}, {{ dbt_batch_sync.text(dbt_batch_sync.opted_out(columns, false)) }}
            from ({{ rows }}) as d
            left join {{ target }} as s on s.{{ id }} = d.{{ id }}
            where s.{{ id }} is null
        {%- endset %}
        {% do statements.extend([update, insert]) %}
    {% endif %}
    {{ return(statements) }}
{% endmacro %}


{#- Puts attributes in doubt for every profile of which Batch holds a value: those whose type in Batch is another one now. -#}
{% macro mark_retyped(snapshot, names, retyped) %}
    {% if retyped %}
        {% set doubt = dbt_batch_sync.column('_batch_doubt') %}
        {% set parts, any = ["coalesce(" ~ doubt ~ ", '')"], [] %}
        {% for name in retyped %}
            {% do parts.append("case when " ~ dbt_batch_sync.column(name) ~ " is not null then '," ~ name ~ ",' else '' end") %}
            {% do any.append(dbt_batch_sync.column(name) ~ ' is not null') %}
        {% endfor %}
        {% do run_query(
            'update ' ~ snapshot.render() ~ ' set ' ~ doubt ~ ' = ' ~ dbt_batch_sync.joined_names('(' ~ parts | join(' || ') ~ ')', names) ~ ' where ' ~ any | join(' or ')
        ) %}
    {% endif %}
{% endmacro %}

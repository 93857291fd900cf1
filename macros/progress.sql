{#- The state of the last delta: whether it still exists, and how far pushes are. -#}


{#- The last `built` row: its time, delta_id (none before the first build), rows and attributes, and the type of each attribute that was
    ever mapped. Also the sync's key column and whether its rows are sent whole. -#}
{% macro last_built(sync, snapshot) %}
    {% set mapping = dbt_batch_sync.sync_mapping(sync) %}
    {% set rows = run_query(
        'select delta_id, attribute_types, former_types, recorded_at, inserts + updates + exits + invalid + parked as built_rows from ' ~ dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render()
        ~ ' where sync = ' ~ dbt.string_literal(sync) ~ " and event = 'built' order by recorded_at desc limit 1"
    ).rows %}
    {% set types, names = {}, [] %}
    {% for pair in (rows[0][1] or '' if rows else '').split(',') if ':' in pair %}{% do names.append(pair.split(':')[0]) %}{% endfor %}
    {% for pair in ((rows[0][2] or '') ~ ',' ~ (rows[0][1] or '') if rows else '').split(',') if ':' in pair %}
        {% do types.update({pair.split(':')[0]: pair.split(':')[1]}) %}
    {% endfor %}
    {{ return({
        'key': mapping.key, 'whole': mapping.listed is defined, 'at': rows[0][3] if rows else none, 'delta_id': rows[0][0] if rows else none,
        'types': types, 'names': names, 'rows': rows[0][4] | int if rows else 0
    }) }}
{% endmacro %}


{#- The id of the existing delta. None if there is no table; '' if it has no rows, is not one of ours, or lacks rows or attributes of the
    delta that was built. -#}
{% macro found_delta(delta, built) %}
    {% if dbt_batch_sync.existing_table(delta.database, delta.schema, delta.identifier) is none %}{{ return(none) }}{% endif %}
    {% set have = dbt_batch_sync.columns_of(delta) | map(attribute='name') | map('lower') | list %}
    {% if (['_batch_delta_id'] + built.names) | reject('in', have) | list %}{{ return('') }}{% endif %}
    {% set row = run_query('select count(*) as delta_rows, max(' ~ dbt_batch_sync.column('_batch_delta_id') ~ ') as delta_id from ' ~ delta.render()).rows[0] %}
    {{ return(row[1] or '' if row[0] | int == built.rows else '') }}
{% endmacro %}


{#- How far pushes are with a delta. `settled`: whether any page is, up to `page`, and in the next page up to `key`. `sent_page`: the last
    page that may have been sent. `runs`: which of them settled which pages, in order. -#}
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
    {#- Only the last checkpoint of a run has a key, and only if the push had a limit. -#}
    {% set settled, sent, runs, alive = [], [], [], [] %}
    {% for row in run_query(query).rows %}
        {% if row[1] is not none %}
            {% do settled.append(row[1] | int) %}
            {% do runs.append({'run_id': row[0], 'page': row[1] | int, 'at': dbt_batch_sync.moment_of(row[2]), 'key': row[8]}) %}
        {% endif %}
        {% set upto = row[4] if row[5] | int else row[3] %}
        {% if upto is not none %}{% do sent.append(upto | int) %}{% endif %}
        {% if not row[6] | int and row[7] | int %}{% do alive.append(row[0]) %}{% endif %}
    {% endfor %}
    {% set page = settled | max if settled else -1 %}
    {% set keys = [none] %}
    {% for run in runs if run.page == page and run.key is not none %}{% do keys.append(run.key) %}{% endfor %}
    {{ return({
        'settled': settled | length > 0, 'page': page, 'key': keys[-1], 'key_column': built.key, 'runs': runs, 'alive': alive,
        'sent_page': 9000000000000000000 if alive else (sent | max if sent and sent | max > page else none)
    }) }}
{% endmacro %}


{#- Whether state would be lost: a delta that was pushed is gone before it was merged, or the snapshot lacks the rows of the last merge.
    Returns the reason, or none. -#}
{% macro lost_rows(snapshot, delta, built, found, progress, merged) %}
    {% set is_merged = merged.at is not none and merged.at > built.at %}
    {% if (progress.settled or progress.sent_page is not none) and built.rows and found != built.delta_id and not is_merged %}
        {{ return(delta.render() ~ (' is gone' if found is none else ' is not the delta that was pushed') ~ ', and what Batch accepted of it is not in ' ~ snapshot.identifier ~ ' yet') }}
    {#- A merge that failed before it was recorded left rows of the newer delta. -#}
    {% elif merged.delta_id and not dbt_batch_sync.has_rows_of(snapshot, [merged.delta_id, built.delta_id]) %}
        {{ return(snapshot.render() ~ ' lacks the rows that were merged into it last (it was emptied, restored from an older copy, or they were deleted)') }}
    {% endif %}
    {{ return(none) }}
{% endmacro %}

{#- Raises an error if state is lost, unless a `resend --all` allows it. Returns whether it is. -#}
{% macro check_delta(sync, snapshot, delta, built, found, progress, merged) %}
    {% set lost = dbt_batch_sync.lost_rows(snapshot, delta, built, found, progress, merged) %}
    {% if lost and not dbt_batch_sync.open_requests(sync, snapshot).all %}
        {{ exceptions.raise_compiler_error(
            'dbt_batch_sync: ' ~ lost ~ '. Restore the table; or send everything again: dbt-batch-sync resend --all --select ' ~ sync
            ~ ', then dbt run and dbt-batch-sync push'
        ) }}
    {% endif %}
    {{ return(lost is not none) }}
{% endmacro %}


{#- The last recorded merge: its time, and the delta whose rows the snapshot must contain since then (or none). -#}
{% macro last_merged(sync, snapshot) %}
    {% set rows = run_query(
        'select recorded_at, merged_delta_id from ' ~ dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render()
        ~ ' where sync = ' ~ dbt.string_literal(sync) ~ " and event = 'merged' order by recorded_at desc limit 1"
    ).rows %}
    {{ return({'at': rows[0][0] if rows else none, 'delta_id': rows[0][1] if rows else none}) }}
{% endmacro %}


{#- Whether a snapshot has rows merged from one of these deltas. -#}
{% macro has_rows_of(snapshot, delta_ids) %}
    {% set literals = [] %}
    {% for id in delta_ids if id %}{% do literals.append(dbt.string_literal(id)) %}{% endfor %}
    {% if not literals %}{{ return(false) }}{% endif %}
    {% set query = 'select 1 from ' ~ snapshot.render() ~ ' where ' ~ dbt_batch_sync.column('_batch_delta_id') ~ ' in (' ~ literals | join(', ') ~ ') limit 1' %}
    {{ return(run_query(query).rows | length > 0) }}
{% endmacro %}


{#- The conditions for row `d` of a delta to be settled, and to be possibly sent but not settled. -#}
{% macro is_settled(progress, alias='d') -%}
    {%- set page = alias ~ '.' ~ dbt_batch_sync.column('_batch_page') -%}
    ({{ page }} <= {{ progress.page }}
    {%- if progress.key is not none %} or ({{ page }} = {{ progress.page + 1 }} and {{ alias }}.{{ dbt_batch_sync.column(progress.key_column) }} <= {{ dbt_batch_sync.key_literal(progress.key) }}){% endif %})
{%- endmacro %}

{#- An identifier as an SQL literal; it may contain any character. -#}
{% macro key_literal(key) %}{{ return(adapter.dispatch('key_literal', 'dbt_batch_sync')(key)) }}{% endmacro %}
{% macro default__key_literal(key) %}{{ return("'" ~ (key | replace("'", "''")) ~ "'") }}{% endmacro %}


{#- The last page that the run of a reject settled; -1 if the run was killed or overtaken before its first checkpoint. A later run has then
    sent these rows again, and its answer counts. With a limit, a run sends no more of a page than it settles. -#}
{% macro reached_by_run(progress) -%}
    {%- if progress.runs -%}
    max(case run_id
        {%- for run in progress.runs %} when {{ dbt_batch_sync.text_literal(run.run_id) }} then {{ run.page + (1 if run.key is not none else 0) }}{% endfor %} else -1 end)
    {%- else -%} -1 {%- endif -%}
{%- endmacro %}

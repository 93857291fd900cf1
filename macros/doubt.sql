{#- What was sent, but not committed when a push died, may or may not be in Batch. Its names go to the snapshot's `_batch_doubt`
    (`,name,,name,`) before the delta that tells them is replaced, and every later delta contains them until they are committed.
    Attributes of another type are in doubt as well, where the delta is built without its snapshot. -#}
{% macro absorb_doubt(sync) %}
    {% if execute and dbt_batch_sync.existing_table(this.database, this.schema, this.identifier) is not none %}
        {% set snapshot = ref(sync ~ '_sent_snapshot') %}
        {% do dbt_batch_sync.mark_retyped(sync, snapshot) %}
        {% set intent = dbt_batch_sync.open_intent(sync, snapshot, this) %}
        {% if intent %}
            {% set names = dbt_batch_sync.snapshot_columns(snapshot, [none]) %}
            {{ adapter.dispatch('absorb_doubt_sql', 'dbt_batch_sync')(sync, snapshot, this, names, intent) }}
        {% endif %}
    {% endif %}
{% endmacro %}


{#- Which rows of this delta a push said it would send and did not commit, counted in the order of its keys: those `after` a number
    and `upto` another; none where all is committed. A push that is alive may say more until the delta is replaced: then it is all
    that is not committed. -#}
{% macro open_intent(sync, snapshot, delta) %}
    {% set runs = dbt_batch_sync.ledger_relation(snapshot, 'batch_sync_runs') %}
    {% if runs is none or '_batch_delta_id' not in (dbt_batch_sync.columns_of(delta) | map(attribute='name') | map('lower') | list) %}
        {{ return(none) }}
    {% endif %}
    {% set leases = dbt_batch_sync.ledger_relation(snapshot, 'batch_sync_leases') %}
    {% set heard = (modules.datetime.datetime.now(modules.pytz.utc) - modules.datetime.timedelta(seconds=90)).strftime('%Y-%m-%d %H:%M:%S') %}
    {% set query %}
        select
            max(runs.intent_position) as intent_position,
            max(runs.committed_position) as committed_position,
            {% if leases is none -%}
            null
            {%- else -%}
            max(case when runs.status = 'running' and living.run_id is not null then 1 end)
            {%- endif %} as alive
        from {{ runs }} as runs
        {% if leases is not none -%}
        left join (
            select leases.run_id from {{ leases }} as leases
            where leases.heartbeat_at > {{ dbt_batch_sync.utc_timestamp(heard) }}
        ) as living on living.run_id = runs.run_id
        {%- endif %}
        where runs.sync = {{ dbt.string_literal(sync) }}
            and runs.delta_id in (select {{ dbt_batch_sync.column('_batch_delta_id') }} from (select * from {{ delta }}) as delta)
    {% endset %}
    {% set row = run_query(query).rows[0] %}
    {% set committed = (row[1] or 0) | int %}
    {% if row[2] is not none %}{{ return({'after': committed, 'upto': 9000000000000000000}) }}{% endif %}
    {% if row[0] is not none and row[0] > committed %}{{ return({'after': committed, 'upto': row[0] | int}) }}{% endif %}
    {{ return(none) }}
{% endmacro %}


{#- `render()`: under `--empty` a reference is a limited select by itself, and this must write to the table. -#}
{% macro default__absorb_doubt_sql(sync, snapshot, delta, names, intent) %}
    {%- set id = dbt_batch_sync.column('custom_id') -%}
    {%- set doubt = dbt_batch_sync.column('_batch_doubt') -%}
    merge into {{ snapshot.render() }} as s
    using ({{ dbt_batch_sync.in_flight_rows(snapshot, delta, intent) }}) as d
    on s.{{ id }} = d.{{ id }}
    when matched then update set {{ doubt }} = {{ dbt_batch_sync.joined_names("coalesce(s." ~ doubt ~ ", '') || d.names", names) }}
    when not matched then insert ({{ id }}, {{ doubt }}) values (d.{{ id }}, {{ dbt_batch_sync.joined_names('d.names', names) }})
{% endmacro %}


{#- The rows of a delta that a push may have sent and did not commit: `custom_id`, and their `names` with commas. -#}
{% macro in_flight_rows(snapshot, delta, intent) -%}
    {%- set id = dbt_batch_sync.column('custom_id') -%}
    {%- set delta_id = dbt_batch_sync.column('_batch_delta_id') -%}
    select in_flight.{{ id }}, in_flight.names
    from (
        select
            {{ id }},
            {{ delta_id }},
            ',' || replace({{ dbt_batch_sync.column('_batch_changed') }}, ',', ',,') || ',' || coalesce({{ dbt_batch_sync.column('_batch_doubt') }}, '') as names,
            row_number() over (order by {{ id }}) as delta_position
        from (select * from {{ delta }}) as delta
        where {{ dbt_batch_sync.column('_batch_change') }} <> 'invalid'
    ) as in_flight
    where in_flight.delta_position > {{ intent.after }} and in_flight.delta_position <= {{ intent.upto }}
        and in_flight.names <> ',,'
        and not exists (
            select 1 from {{ snapshot.render() }} as committed
            where committed.{{ id }} = in_flight.{{ id }} and committed.{{ delta_id }} = in_flight.{{ delta_id }}
        )
{%- endmacro %}


{#- Each name once, however often it is in the text. -#}
{% macro joined_names(expression, names) -%}
    {%- set parts = [] -%}
    {%- for name in names %}{% do parts.append("case when " ~ dbt_batch_sync.in_doubt(expression, name) ~ " then '," ~ name ~ ",' else '' end") %}{% endfor -%}
    {{ parts | join(' || ') }}
{%- endmacro %}


{#- Puts attributes in doubt for every profile of which Batch holds a value. -#}
{% macro mark_doubt(snapshot, names) %}
    {% set doubt = dbt_batch_sync.column('_batch_doubt') %}
    {% for name in names %}
        {% do run_query(
            'update ' ~ snapshot ~ ' set ' ~ doubt ~ ' = coalesce(' ~ doubt ~ ", '') || '," ~ name ~ ",' where "
            ~ dbt_batch_sync.column(name) ~ ' is not null and not (' ~ dbt_batch_sync.in_doubt(doubt, name) ~ ')'
        ) %}
    {% endfor %}
{% endmacro %}


{#- Puts in doubt what has the column of its former type, and another type in Batch. -#}
{% macro mark_retyped(sync, snapshot) %}
    {% set attributes = dbt_batch_sync.sync_attributes(sync, ref(sync), dbt_batch_sync.sync_mapping(sync)) %}
    {% set sent_types = dbt_batch_sync.types_last_sent(sync, snapshot) if attributes is not none else {} %}
    {% for attribute in (attributes or [])[1:] if sent_types.get(attribute.name, attribute.type) != attribute.type %}
        {% do dbt_batch_sync.mark_doubt(snapshot.render(), [attribute.name]) %}
    {% endfor %}
{% endmacro %}


{#- The type that each attribute was last sent with, by name. The columns alone can't tell a string from a url. -#}
{% macro types_last_sent(sync, snapshot) %}
    {% set types = {} %}
    {% set runs = dbt_batch_sync.ledger_relation(snapshot, 'batch_sync_runs') %}
    {% if runs is not none %}
        {% set query %}
            select runs.attribute_types, max(runs.started_at) as last_sent
            from {{ runs }} as runs
            where runs.sync = {{ dbt.string_literal(sync) }} and runs.intent_position > 0
            group by runs.attribute_types
            order by 2
        {% endset %}
        {% for row in run_query(query).rows %}
            {% for pair in (row[0] or '').split(',') if ':' in pair %}
                {% do types.update({pair.split(':')[0]: pair.split(':')[1]}) %}
            {% endfor %}
        {% endfor %}
    {% endif %}
    {{ return(types) }}
{% endmacro %}


{#- A table that the runner keeps beside the snapshot; none before the first push. -#}
{% macro ledger_relation(snapshot, name) %}
    {{ return(dbt_batch_sync.existing_table(snapshot.database, snapshot.schema, dbt_batch_sync.reported_name(name))) }}
{% endmacro %}

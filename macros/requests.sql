{#- What the ledger requests from the next delta: `resend` rows, and `doubt` rows of a push that lost its claim. Each puts names in doubt,
    which the delta then sends. -#}


{#- The requests that no merge has answered: all their ids, whether one is for everything, whether one is for rejections, and the pushes
    that left `doubt` rows. Pushes that may still be appending such rows are left to the next merge. -#}
{% macro open_requests(sync, snapshot) %}
    {% set journal = dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render() %}
    {% set query %}
        select
            run_id,
            max(request) as request,
            max(case when event = 'doubt' then 1 else 0 end) as has_doubt,
            case when max(case when event = 'ended' then 1 else 0 end) = 0 and max(recorded_at) > {{ dbt_batch_sync.seconds_ago(90) }} then 1 else 0 end as goes_on
        from {{ journal }}
        where sync = {{ dbt.string_literal(sync) }} and event in ('resend', 'doubt', 'ended')
        group by run_id
        having max(case when event = 'ended' then 0 else 1 end) = 1
    {% endset %}
    {% set rows = run_query(query).rows %}
    {% set answered = [] %}
    {% if rows %}
        {% for row in run_query('select answered from ' ~ journal ~ ' where sync = ' ~ dbt.string_literal(sync) ~ " and event = 'merged' and answered <> ''").rows %}
            {% do answered.extend(row[0].split(',')) %}
        {% endfor %}
    {% endif %}
    {% set ids, requests, overtaken, audits = [], [], [], [] %}
    {% for row in rows if row[0] not in answered and not (row[2] | int and row[3] | int) %}
        {% do ids.append(row[0]) %}
        {% do (overtaken if row[2] | int else requests).append(row[0] if row[2] | int else row[1]) %}
        {% if row[1] in ('drift', 'adopted') %}{% do audits.append({'id': row[0], 'adopted': row[1] == 'adopted'}) %}{% endif %}
    {% endfor %}
    {{ return({'ids': ids, 'all': 'all' in requests, 'rejected': 'rejected' in requests, 'overtaken': overtaken, 'audits': audits}) }}
{% endmacro %}


{#- Puts in doubt what the open requests ask for, and returns them. For everything, that is each attribute, but with `on_null: keep` only
    where there is a value, because otherwise there is nothing to send. `lost`: the delta or rows of the snapshot were lost, so profiles
    that left may have been sent since and exit again. -#}
{% macro answer_requests(sync, snapshot, key, names, attributes, lost) %}
    {% set requests = dbt_batch_sync.open_requests(sync, snapshot) %}
    {% if requests.overtaken %}
        {% set flags = [] %}
        {% for name in names %}
            {% do flags.append("max(case when " ~ dbt_batch_sync.in_doubt("',' || names || ','", name) ~ " then '," ~ name ~ ",' else '' end)") %}
        {% endfor %}
        {% set literals = [] %}
        {% for id in requests.overtaken %}{% do literals.append(dbt.string_literal(id)) %}{% endfor %}
        {% do dbt_batch_sync.put_in_doubt(snapshot, key, 'select key as row_id, ' ~ flags | join(' || ') ~ ' as names from ' ~ dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render()
            ~ ' where sync = ' ~ dbt.string_literal(sync) ~ " and event = 'doubt' and run_id in (" ~ literals | join(', ') ~ ') group by key', names, true) %}
    {% endif %}
    {% if requests.all %}
        {% set doubt = dbt_batch_sync.column('_batch_doubt') %}
        {% set parts = [] %}
        {% for name in names %}
            {% if name in attributes and not attributes[name].keep %}
                {% do parts.append("'," ~ name ~ ",'") %}
            {% else %}
                {% set has_value = ' or ' ~ dbt_batch_sync.column(name) ~ ' is not null' if name in attributes else '' %}
                {% do parts.append('case when ' ~ dbt_batch_sync.in_doubt(doubt, name) ~ has_value ~ " then '," ~ name ~ ",' else '' end") %}
            {% endif %}
        {% endfor %}
        {% do run_query(
            'update ' ~ snapshot.render() ~ ' set ' ~ doubt ~ " = nullif(" ~ (parts | join(' || ') if parts else "''") ~ ", '')"
            ~ ('' if lost else ' where ' ~ dbt_batch_sync.column('_batch_exited_at') ~ ' is null')
        ) %}
    {% endif %}
    {% for audit in requests.audits %}{% do dbt_batch_sync.doubt_drift(sync, snapshot, key, names, attributes, audit) %}{% endfor %}
    {% if requests.all or requests.rejected %}
        {% do dbt_batch_sync.release_rejects(sync, snapshot, key, names) %}
    {% endif %}
    {{ return(requests) }}
{% endmacro %}


{#- Rejected rows are no longer parked, and rejected attributes are in doubt. -#}
{% macro release_rejects(sync, snapshot, key, names) %}
    {% set rejects = dbt_batch_sync.beside(snapshot, 'batch_sync_rejects').render() %}
    {% set open = 'sync = ' ~ dbt.string_literal(sync) ~ ' and resolved_at is null' %}
    {% set flags = [] %}
    {% for row in run_query('select distinct attribute from ' ~ rejects ~ ' where ' ~ open ~ ' and attribute is not null').rows if row[0] in names %}
        {% do flags.append("max(case when attribute = '" ~ row[0] ~ "' then '," ~ row[0] ~ ",' else '' end)") %}
    {% endfor %}
    {% if flags %}
        {% do dbt_batch_sync.put_in_doubt(snapshot, key, 'select key as row_id, ' ~ flags | join(' || ') ~ ' as names from ' ~ rejects
            ~ ' where ' ~ open ~ ' and attribute is not null group by key', names, false) %}
    {% endif %}
    {% do run_query('update ' ~ rejects ~ ' set sent_hash = null where ' ~ open ~ ' and attribute is null and sent_hash is not null') %}
{% endmacro %}


{#- Puts in doubt what an audit found to differ; for a profile that Batch lacks, every attribute with a value. A repair never resubscribes
    anyone, and an adoption clears nothing. -#}
{% macro doubt_drift(sync, snapshot, key, names, attributes, audit) %}
    {% set flags = [] %}
    {% for column in dbt_batch_sync.columns_of(snapshot) if column.name | lower in names and column.name | lower in attributes %}
        {% set name, value = column.name | lower, 's.' ~ dbt_batch_sync.column(column.name | lower) %}
        {% set subscribes = name in dbt_batch_sync.consents() and not audit.adopted %}
        {% do flags.append(
            "max(case when (r.attribute = '" ~ name ~ "' or (r.attribute is null and " ~ value ~ ' is not null))'
            ~ (' and (' ~ value ~ ' is null or not ' ~ dbt_batch_sync.consent_is(value, column.dtype, true) ~ ')' if subscribes else '')
            ~ " then '," ~ name ~ ",' else '' end)"
        ) %}
    {% endfor %}
    {% if flags %}
        {% set differing -%}
            select r.key as row_id, {{ flags | join(' || ') }} as names
            from (
                select key, attribute
                from {{ dbt_batch_sync.beside(snapshot, 'batch_sync_drift').render() }}
                where sync = {{ dbt.string_literal(sync) }} and audit_id = {{ dbt.string_literal(audit.id) }} and difference <> 'unknown_profile'
                {%- if audit.adopted %} and difference <> 'unexpected_value'{% endif %}
            ) as r
            inner join {{ snapshot.render() }} as s on s.{{ dbt_batch_sync.column(key) }} = r.key
            group by r.key
        {%- endset %}
        {% do dbt_batch_sync.put_in_doubt(snapshot, key, 'select * from (' ~ differing ~ ") as differing where names <> ''", names, false) %}
    {% endif %}
{% endmacro %}


{#- Adds the `names` of a query's rows to the doubt of the snapshot's rows with the same `row_id`. `unknown`: also adds rows that the
    snapshot doesn't have. -#}
{% macro put_in_doubt(snapshot, key, source, names, unknown) %}
    {% for statement in adapter.dispatch('doubt_statements', 'dbt_batch_sync')(snapshot, key, source, names, unknown) %}
        {% do run_query(statement) %}
    {% endfor %}
{% endmacro %}

{% macro default__doubt_statements(snapshot, key, source, names, unknown) %}
    {% set id, doubt = dbt_batch_sync.column(key), dbt_batch_sync.column('_batch_doubt') %}
    {% set merge -%}
        merge into {{ snapshot.render() }} as s
        using ({{ source }}) as d
        on s.{{ id }} = d.row_id
        when matched then update set {{ doubt }} = {{ dbt_batch_sync.joined_names("coalesce(s." ~ doubt ~ ", '') || d.names", names) }}
        {%- if unknown %}
        when not matched then insert ({{ id }}, {{ doubt }}) values (d.row_id, d.names)
        {%- endif %}
    {%- endset %}
    {{ return([merge]) }}
{% endmacro %}

{#- For warehouses whose MERGE doesn't accept subqueries. -#}
{% macro updating_doubt_statements(snapshot, key, source, names, unknown) %}
    {% set id, doubt, target = dbt_batch_sync.column(key), dbt_batch_sync.column('_batch_doubt'), snapshot.render() %}
    {% set update -%}
        update {{ target }}
        set {{ doubt }} = d.doubt
        from (
            select s.{{ id }} as row_id, {{ dbt_batch_sync.joined_names("coalesce(s." ~ doubt ~ ", '') || d.names", names) }} as doubt
            from ({{ source }}) as d
            inner join {{ target }} as s on s.{{ id }} = d.row_id
        ) as d
        where {{ target }}.{{ id }} = d.row_id
    {%- endset %}
    {% set insert -%}
        insert into {{ target }} ({{ id }}, {{ doubt }})
        select d.row_id, d.names
        from ({{ source }}) as d
        left join {{ target }} as s on s.{{ id }} = d.row_id
        where s.{{ id }} is null
    {%- endset %}
    {{ return([update, insert] if unknown else [update]) }}
{% endmacro %}

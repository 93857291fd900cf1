{#- Events: rows of the last day whose id was never sent. The snapshot remembers ids for some days, with their profiles and times. Rows
    arrive late and out of order, so there is no high-water mark. Events that may have been sent without being settled are in doubt;
    `on_doubt` decides whether a later delta sends them again. -#}

{#- Minutes that a push has left to send an event before Batch considers it too old. -#}
{% macro minutes_to_push() %}{{ return(5) }}{% endmacro %}


{% macro events__read_mapping(sync, raw) %}
    {% for key in ['event_id', 'name', 'time'] if not raw.get(key) %}
        {{ dbt_batch_sync.mapping_error(sync, "`" ~ key ~ "` is missing") }}
    {% endfor %}
    {{ return({
        'key': 'event_id',
        'identifier': raw['event_id'],
        'profile': raw['identifier'],
        'name': raw['name'],
        'time': raw['time'],
        'label': raw.get('label'),
        'tags': raw.get('tags'),
        'attributes': raw.get('attributes') or [],
        'on_null': 'clear',
        'on_exit': 'ignore',
        'membership': '',
        'on_doubt': raw.get('on_doubt') or 'resend',
        'memory_days': raw.get('memory_days') or 7
    }) }}
{% endmacro %}


{#- The columns of the delta after the key: the profile, the standard fields of an event, and its own attributes. -#}
{% macro events__attributes(sync, mapping, columns) %}
    {% set profile = dbt_batch_sync.identifier_attribute(sync, dict(mapping, key='custom_id', identifier=mapping.profile), columns) %}
    {% set attributes = [dict(profile, type='string', dtype=dbt_batch_sync.identifier_type(), expression=dbt_batch_sync.identifier_expression(profile), identifier=profile)] %}
    {% if mapping.name is string %}
        {% do attributes.append(dbt_batch_sync.typed_attribute(sync, columns, mapping.name, 'batch__name', 'string', 'clear')) %}
    {% else %}
        {% do attributes.append({
            'name': 'batch__name', 'column': none, 'type': 'string', 'dtype': dbt_batch_sync.own_text_type(),
            'expression': dbt_batch_sync.text_literal(mapping.name.value), 'keep': false, 'membership': false, 'guarded': false
        }) %}
    {% endif %}
    {% do attributes.append(dbt_batch_sync.typed_attribute(sync, columns, mapping.time, 'batch__time', 'date', 'clear')) %}
    {% if mapping.label %}{% do attributes.append(dbt_batch_sync.typed_attribute(sync, columns, mapping.label, 'batch__label', 'string', 'clear')) %}{% endif %}
    {% if mapping.tags %}{% do attributes.append(dbt_batch_sync.typed_attribute(sync, columns, mapping.tags, 'batch__tags', 'string_array', 'clear')) %}{% endif %}
    {% set own = [] %}
    {% for entry in dbt_batch_sync.listed_entries(mapping.attributes, 'clear') %}
        {% set json = (dbt_batch_sync.column_kind(dbt_batch_sync.mapped_column(sync, columns, entry.column, entry.name)) or {}).get('type') == 'json' %}
        {% do own.append(dbt_batch_sync.typed_attribute(sync, columns, entry.column, entry.name, entry.type or ('object' if json else ''), 'clear')) %}
    {% endfor %}
    {% do dbt_batch_sync.check_names(sync, own) %}
    {{ return(attributes + own) }}
{% endmacro %}


{#- The ids that were sent, or that will not be sent any more (`_batch_reason`), with profile, name and time. -#}
{% macro events__snapshot_schema(attributes) %}
    {% set text_type, timestamp_type = dbt_batch_sync.own_text_type(), dbt_batch_sync.timestamp_type() %}
    {{ return([
        {'name': 'event_id', 'dtype': dbt_batch_sync.identifier_type()},
        {'name': 'custom_id', 'dtype': dbt_batch_sync.identifier_type()},
        {'name': 'batch__name', 'dtype': text_type},
        {'name': 'batch__time', 'dtype': dbt_batch_sync.kept_time_type()},
        {'name': '_batch_sent_at', 'dtype': timestamp_type},
        {'name': '_batch_run_id', 'dtype': text_type},
        {'name': '_batch_delta_id', 'dtype': text_type},
        {'name': '_batch_doubt', 'dtype': text_type},
        {'name': '_batch_reason', 'dtype': text_type}
    ]) }}
{% endmacro %}


{#- The body of the delta. It compares the model's own column with constant times, so that a warehouse reads only the partitions of those
    days. -#}
{% macro events__delta_sql(sync, model_relation, snapshot_relation, mapping, attributes) %}
{%- set columns = dbt_batch_sync.columns_of(model_relation) -%}
{%- set time = dbt_batch_sync.mapped_column(sync, columns, mapping.time, 'time') -%}
{%- set event_id = dbt_batch_sync.identifier_expression(attributes[0]) -%}
{%- if (dbt_batch_sync.column_kind(time) or {}).get('family') != 'timestamp' -%}
    {{ dbt_batch_sync.mapping_error(sync, "`time` is the column `" ~ time.name ~ "` of type " ~ time.dtype ~ "; accepted: a timestamp. Cast it in the model") }}
{%- endif -%}
{%- set now = dbt_batch_sync.warehouse_now() -%}
{%- set hours, minutes = modules.datetime.timedelta(hours=24), modules.datetime.timedelta(minutes=dbt_batch_sync.minutes_to_push()) -%}
{%- set since = dbt_batch_sync.events_remembered_since(sync, snapshot_relation, mapping, now) -%}
{%- set id, profile, name, at = dbt_batch_sync.column('event_id'), dbt_batch_sync.column('custom_id'), dbt_batch_sync.column('batch__name'), dbt_batch_sync.column('batch__time') -%}
{%- set doubt, change, reason = dbt_batch_sync.column('_batch_doubt'), dbt_batch_sync.column('_batch_change'), dbt_batch_sync.column('_batch_reason') -%}
{%- set values, own = attributes[1:], attributes[4:] -%}
{%- set resends = mapping.on_doubt == 'resend' -%}
{%- set erased = dbt_batch_sync.erased_people(sync, mapping, snapshot_relation) -%}
with recent_rows as (
    select
        {{ event_id }} as {{ id }}
        {%- for attribute in values %},
        {{ attribute.expression }} as {{ dbt_batch_sync.column(attribute.name) }}
        {%- endfor %}
    from (select * from {{ model_relation }}) as model
    where
        {{ dbt_batch_sync.model_column(time.name) }} >= {{ dbt_batch_sync.instant_literal(time, now - hours + minutes) }}
        and {{ dbt_batch_sync.model_column(time.name) }} <= {{ dbt_batch_sync.instant_literal(time, now) }}
),

late_rows as (
    select
        {{ event_id }} as {{ id }}
        {%- for attribute in values[:3] %},
        {{ attribute.expression }} as {{ dbt_batch_sync.column(attribute.name) }}
        {%- endfor %}
    from (select * from {{ model_relation }}) as model
    where
        {{ dbt_batch_sync.model_column(time.name) }} >= {{ dbt_batch_sync.instant_literal(time, since) }}
        and {{ dbt_batch_sync.model_column(time.name) }} < {{ dbt_batch_sync.instant_literal(time, now - hours + minutes) }}
),

remembered as (
    select {{ id }} as known_id, {{ profile }} as known_profile, {{ name }} as known_name, {{ at }} as known_time, {{ doubt }} as known_doubt
    from {{ snapshot_relation.render() }}
),

unsent as (
    select
        recent_rows.*,
        remembered.known_id,
        remembered.known_profile,
        remembered.known_doubt,
        count(*) over (partition by recent_rows.{{ id }}) as copies,
        min(recent_rows.{{ profile }}) over (partition by recent_rows.{{ id }}) as first_profile,
        max(recent_rows.{{ profile }}) over (partition by recent_rows.{{ id }}) as last_profile
    from recent_rows
    left join remembered on remembered.known_id = recent_rows.{{ id }}
    where
        remembered.known_id is null
        or remembered.known_profile <> recent_rows.{{ profile }}
        {%- if resends %}
        or remembered.known_doubt is not null
        {%- endif %}
),

changes as (
    select
        {{ id }},
        case
            when {{ id }} is null then 'null_event_id'
            when copies > 1 and first_profile <> last_profile then 'event_id_of_two_profiles'
            when copies > 1 then 'duplicate_event_id'
            when known_profile <> {{ profile }} then 'event_id_of_two_profiles'
            {%- if erased %}
            when erased.row_id is not null then 'erased'
            {%- endif %}
            else {{ dbt_batch_sync.identifier_problem('unsent', values[0].identifier) }}
        end as problem,
        case when known_doubt is not null then 1 else 0 end as may_be_sent
        {%- for attribute in values %},
        {%- if erased and loop.index > 3 %}
        case when erased.row_id is null then unsent.{{ dbt_batch_sync.column(attribute.name) }} end as {{ dbt_batch_sync.column(attribute.name) }}
        {%- else %}
        {{ dbt_batch_sync.column(attribute.name) }}
        {%- endif %}
        {%- endfor %}
    from unsent
    {%- if erased %}
    left join ({{ erased }}) as erased on erased.row_id = unsent.{{ profile }}
    {%- endif %}
    union all
    select
        late_rows.{{ id }},
        'too_old' as problem,
        0 as may_be_sent,
        min(late_rows.{{ profile }}) as {{ profile }},
        min(late_rows.{{ name }}) as {{ name }},
        min(late_rows.{{ at }}) as {{ at }}
        {%- for attribute in own %},
        {{ dbt_batch_sync.stored_null(attribute.dtype, false) }} as {{ dbt_batch_sync.column(attribute.name) }}
        {%- endfor %}
    from late_rows
    left join remembered on remembered.known_id = late_rows.{{ id }}
    where remembered.known_id is null and late_rows.{{ id }} is not null
    group by late_rows.{{ id }}
    union all
    select
        known_id as {{ id }},
        'unsure' as problem,
        0 as may_be_sent,
        known_profile as {{ profile }},
        known_name as {{ name }},
        known_time as {{ at }}
        {%- for attribute in own %},
        {{ dbt_batch_sync.stored_null(attribute.dtype, false) }} as {{ dbt_batch_sync.column(attribute.name) }}
        {%- endfor %}
    from remembered
    where known_doubt is not null
        {%- if resends %} and not exists (select 1 from recent_rows where recent_rows.{{ id }} = remembered.known_id){% endif %}
)

select
    {{ id }},
    {{ dbt_batch_sync.text("case when problem is null then 'insert' else 'invalid' end") }} as {{ change }},
    {{ dbt_batch_sync.text("case when problem is null then 'event' else '' end") }} as {{ dbt_batch_sync.column('_batch_changed') }},
    {{ dbt_batch_sync.text("case when problem is null and may_be_sent = 1 then 'unsure' else problem end") }} as {{ reason }},
    {{ dbt_batch_sync.event_page(profile, 'case when problem is null then 0 else 1 end, ' ~ profile ~ ', ' ~ at ~ ', ' ~ id) }} as {{ dbt_batch_sync.column('_batch_page') }},
    {{ dbt_batch_sync.text_literal(invocation_id) }} as {{ dbt_batch_sync.column('_batch_delta_id') }}
    {%- for attribute in values %},
    {{ dbt_batch_sync.column(attribute.name) }}
    {%- endfor %}
from changes
{{ dbt_batch_sync.delta_order() }}
{% endmacro %}


{#- The page of an event. All events of a profile are in one page or in consecutive ones. Pages are small, because with `on_doubt: skip`,
    whole pages are in doubt. -#}
{% macro event_page(profile, order) %}{{ return(adapter.dispatch('event_page', 'dbt_batch_sync')(profile, order)) }}{% endmacro %}
{% macro default__event_page(profile, order) %}{{ return(dbt_batch_sync.page_expression(profile)) }}{% endmacro %}
{% macro duckdb__event_page(profile, order) %}{{ return('(row_number() over (order by ' ~ order ~ ') - 1) // 100') }}{% endmacro %}
{% macro postgres__event_page(profile, order) %}{{ return('(row_number() over (order by ' ~ order ~ ') - 1) / 100') }}{% endmacro %}


{#- The warehouse's UTC time, in whole seconds. -#}
{% macro warehouse_now() %}
    {{ return(dbt_batch_sync.moment_of(run_query('select ' ~ dbt_batch_sync.utc_now() ~ ' as now_at').rows[0][0]).replace(microsecond=0)) }}
{% endmacro %}


{#- A UTC time as a constant of a column's type. -#}
{% macro instant_literal(column, moment) -%}
    cast('{{ moment.strftime('%Y-%m-%d %H:%M:%S') }}{{ '+00:00' if dbt_batch_sync.is_zoned(column) }}' as {{ column.dtype }})
{%- endmacro %}

{#- Whether a timestamp column contains instants, not times without a zone. -#}
{% macro is_zoned(column) %}{{ return(adapter.dispatch('is_zoned', 'dbt_batch_sync')(column)) }}{% endmacro %}
{% macro default__is_zoned(column) %}
    {% set type = column.dtype | lower %}
    {{ return('with time zone' in type or 'timestamptz' in type or '_tz' in type or '_ltz' in type) }}
{% endmacro %}
{% macro bigquery__is_zoned(column) %}{{ return(column.dtype | upper == 'TIMESTAMP') }}{% endmacro %}
{% macro spark__is_zoned(column) %}{{ return(not (column.dtype | lower).endswith('_ntz')) }}{% endmacro %}


{#- The time since when every sent id is remembered: not before the first build, nor before the `memory_days` of any build since. -#}
{% macro events_remembered_since(sync, snapshot, mapping, now) %}
    {% set journal = dbt_batch_sync.beside(api.Relation.create(database=snapshot.database, schema=snapshot.schema, identifier=snapshot.identifier), 'batch_sync_journal') %}
    {% set day = modules.datetime.timedelta(days=1) %}
    {% set first, days = [now - day], [mapping.memory_days] %}
    {% if dbt_batch_sync.existing_table(journal.database, journal.schema, journal.identifier) is not none %}
        {% set row = run_query(
            'select min(recorded_at) as first_at, min(case when recorded_at > ' ~ dbt_batch_sync.utc_timestamp((now - modules.datetime.timedelta(days=mapping.memory_days)).strftime('%Y-%m-%d %H:%M:%S'))
            ~ ' then retention_days end) as least_days from ' ~ journal.render() ~ ' where sync = ' ~ dbt.string_literal(sync) ~ " and event = 'built'"
        ).rows[0] %}
        {% if row[0] is not none %}{% do first.append(dbt_batch_sync.moment_of(row[0]).replace(microsecond=0) - day) %}{% endif %}
        {% if row[1] is not none %}{% do days.append(row[1] | int) %}{% endif %}
    {% endif %}
    {{ return([first[-1], now - modules.datetime.timedelta(days=days | min)] | max) }}
{% endmacro %}


{#- Raises an error while a push of the delta is running: what it sends next would be neither remembered nor in doubt. -#}
{% macro events__before_build(sync, snapshot) %}
    {% if dbt_batch_sync.progress(sync, snapshot, dbt_batch_sync.last_built(sync, snapshot)).alive %}
        {{ exceptions.raise_compiler_error(
            'dbt_batch_sync: a push of `' ~ sync ~ '` is running, and a delta of events is not rebuilt during a push. Wait for it to end; '
            ~ 'a push that was killed counts as running for 90 s. Then run dbt again'
        ) }}
    {% endif %}
{% endmacro %}


{#- Remembers what pushes did with the old delta and forgets what is too old. A settled event is remembered, rejected or not. An event that
    may have been sent is in doubt. `too_old` and `unsure` rows are remembered once a push has counted them. -#}
{% macro events__merge(sync, mapping, snapshot, delta, built, found, progress) %}
    {% do dbt_batch_sync.events__before_build(sync, snapshot) %}
    {% set before = dbt_batch_sync.last_merged(sync, snapshot) %}
    {% set lost = dbt_batch_sync.lost_rows(snapshot, delta, built, found, progress, before) %}
    {% set counted = dbt_batch_sync.is_counted(sync, snapshot, built) %}
    {% set merged = built.delta_id is not none and found == built.delta_id and (progress.settled or progress.sent_page is not none or counted) %}
    {% if merged %}
        {% set source = dbt_batch_sync.events_to_remember(snapshot, delta, built, progress, counted) %}
        {% set id, delta_id, doubt = dbt_batch_sync.column('event_id'), dbt_batch_sync.column('_batch_delta_id'), dbt_batch_sync.column('_batch_doubt') %}
        {% if run_query(
            'select 1 from ' ~ snapshot.render() ~ ' where ' ~ doubt ~ ' is not null or ' ~ delta_id ~ ' = ' ~ dbt_batch_sync.text_literal(built.delta_id) ~ ' limit 1'
        ).rows %}
            {% do run_query(dbt_batch_sync.delete_rows_sql(snapshot.render(), id, 'select d.' ~ id ~ ' as row_id from (' ~ source ~ ') as d', '')) %}
        {% endif %}
        {% set columns = [] %}
        {% for each in dbt_batch_sync.events__snapshot_schema([]) %}{% do columns.append(dbt_batch_sync.column(each.name)) %}{% endfor %}
        {% do run_query('insert into ' ~ snapshot.render() ~ ' (' ~ columns | join(', ') ~ ') ' ~ source) %}
    {% endif %}
    {{ return({'witness': built.delta_id if merged else before.delta_id, 'answered': [], 'request': 'first' if lost else none}) }}
{% endmacro %}


{#- Whether a push has reported the invalid rows of a delta. -#}
{% macro is_counted(sync, snapshot, built) %}
    {{ return(run_query(
        'select 1 from ' ~ dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render() ~ ' where sync = ' ~ dbt.string_literal(sync)
        ~ " and event = 'ended' and delta_id = " ~ dbt.string_literal(built.delta_id or '') ~ ' limit 1'
    ).rows | length > 0) }}
{% endmacro %}


{% macro events_to_remember(snapshot, delta, built, progress, counted) -%}
    {%- set change, reason, page = dbt_batch_sync.column('_batch_change'), dbt_batch_sync.column('_batch_reason'), dbt_batch_sync.column('_batch_page') -%}
    {%- set settled = "d." ~ change ~ " = 'insert' and " ~ dbt_batch_sync.is_settled(progress) -%}
    {%- set run = progress.runs[-1] if progress.runs else none -%}
    select
        d.{{ dbt_batch_sync.column('event_id') }},
        d.{{ dbt_batch_sync.column('custom_id') }},
        d.{{ dbt_batch_sync.column('batch__name') }},
        d.{{ dbt_batch_sync.column('batch__time') }},
        case when {{ settled }} then {{ dbt_batch_sync.utc_timestamp(run.at.strftime('%Y-%m-%d %H:%M:%S')) if run else dbt_batch_sync.stored_null(dbt_batch_sync.timestamp_type(), false) }} end as sent_at,
        case when {{ settled }} then {{ dbt_batch_sync.text_literal(run.run_id) if run else dbt_batch_sync.text('null') }} end as run_id,
        {{ dbt_batch_sync.text_literal(built.delta_id) }} as delta_id,
        {{ dbt_batch_sync.text("case when d." ~ change ~ " = 'insert' and not (" ~ settled ~ ") then 'event' end") }} as doubt,
        {{ dbt_batch_sync.text("case when d." ~ change ~ " = 'invalid' then d." ~ reason ~ ' end') }} as reason
    from {{ delta.render() }} as d
    where d.{{ dbt_batch_sync.column('event_id') }} is not null
        and (
            ({{ settled }})
            {%- if progress.sent_page is not none %}
            or (d.{{ change }} = 'insert' and d.{{ page }} <= {{ progress.sent_page }})
            {%- endif %}
            {%- if counted %}
            or (d.{{ change }} = 'invalid' and d.{{ reason }} in ('too_old', 'unsure'))
            {%- endif %}
        )
{%- endmacro %}


{#- Once a day, forgets ids that no delta looks for any more, and resolves their rejections. An event in doubt is kept until a push has
    reported it. -#}
{% macro events__after_merge(sync, mapping, snapshot) %}
    {% set at, no_doubt = dbt_batch_sync.column('batch__time'), dbt_batch_sync.column('_batch_doubt') ~ ' is null' %}
    {% set now = dbt_batch_sync.warehouse_now() %}
    {% set oldest = run_query('select min(' ~ at ~ ') as oldest from ' ~ snapshot.render() ~ ' where ' ~ no_doubt).rows[0][0] %}
    {% if oldest is not none and oldest.replace(tzinfo=none) < now - modules.datetime.timedelta(days=mapping.memory_days + 1) %}
        {% set before = (now - modules.datetime.timedelta(days=mapping.memory_days) - modules.datetime.timedelta(hours=1)).strftime('%Y-%m-%d %H:%M:%S') %}
        {% do run_query('delete from ' ~ snapshot.render() ~ ' where ' ~ at ~ ' < cast(' ~ dbt.string_literal(before) ~ ' as ' ~ dbt_batch_sync.kept_time_type() ~ ') and ' ~ no_doubt) %}
        {% set rejects = dbt_batch_sync.beside(snapshot, 'batch_sync_rejects').render() %}
        {% do run_query('update ' ~ rejects ~ ' set resolved_at = ' ~ dbt_batch_sync.utc_now() ~ ' where sync = ' ~ dbt.string_literal(sync) ~ ' and resolved_at is null and rejected_at < ' ~ dbt_batch_sync.utc_timestamp(before)) %}
    {% endif %}
{% endmacro %}


{#- Whether a push must stop and ask, because it would send events from before the sync existed: nothing was ever pushed, or the memory is
    lost. This stays so until `adopt` or a push that was confirmed: it has settled something, or was killed after it may have sent events. -#}
{% macro events__requested(sync, snapshot, requests) %}
    {% if 'first' in requests %}{{ return('first') }}{% endif %}
    {% set of_sync = dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render() ~ ' where sync = ' ~ dbt.string_literal(sync) %}
    {% set last = run_query('select request as scope, recorded_at from ' ~ of_sync ~ " and event = 'built' order by recorded_at desc limit 1").rows %}
    {% if not last %}{{ return('first') }}{% endif %}
    {% if last[0][0] != 'first' %}{{ return(none) }}{% endif %}
    {{ return(none if run_query(
        'select 1 from ' ~ of_sync ~ " and (event in ('intent', 'checkpoint') or (event = 'ended' and (status in ('succeeded', 'partial') or settled > 0))) and recorded_at > "
        ~ dbt_batch_sync.utc_timestamp(dbt_batch_sync.moment_of(last[0][1]).strftime('%Y-%m-%d %H:%M:%S')) ~ ' limit 1'
    ).rows else 'first') }}
{% endmacro %}


{#- Events that may have been sent more than once, or never, and that were settled by pushes that were killed: the next push reports them. -#}
{% macro events__unreported(sync, snapshot) %}
    {% set of_sync = dbt_batch_sync.beside(snapshot, 'batch_sync_journal').render() ~ ' where sync = ' ~ dbt.string_literal(sync) %}
    {% set last = '(select max(recorded_at) from ' ~ of_sync ~ " and event = 'ended')" %}
    {% set query %}
        select sum(unsure) as unsure from (
            select max(unsure) as unsure
            from {{ of_sync }} and event = 'checkpoint' and unsure > 0 and (recorded_at > {{ last }} or {{ last }} is null)
            group by run_id, delta_id
        ) as runs
    {% endset %}
    {{ return((run_query(query).rows[0][0] or 0) | int) }}
{% endmacro %}


{% macro events__known_counts(snapshot, delta, counts, key) %}
    {{ return({'known': run_query('select count(*) as known from ' ~ snapshot.render()).rows[0][0] | int, 'returning': 0, 'leaving_again': 0}) }}
{% endmacro %}

{#- A rejected event is in no later delta, and stays rejected. -#}
{% macro events__resolve(sync, snapshot, delta, key) %}{% endmacro %}

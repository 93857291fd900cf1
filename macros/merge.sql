{#- Merges what pushes did with the old delta into the snapshot, before the delta is rebuilt. Batch now holds rows of pages up to the last
    checkpoint, except for rejected ones. Rows between the checkpoint and the last intent, or all later rows while a push is running, are in
    doubt: their names go to `_batch_doubt` (`,name,,name,`), and every later delta sends them until they are settled. The statements are
    the same after a clean push and after a kill, and can be repeated. -#}


{#- The rows of a delta to merge. `_batch_settled` is 1 for rows that Batch holds, 0 for rows in doubt. Rejected rows are left out, unless a
    row may have gone in several requests, of which some may have been accepted. -#}
{% macro sent_rows(sync, snapshot, delta, built, progress, columns) -%}
    {%- set id = dbt_batch_sync.column(built.key) -%}
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


{#- A row with more than 50 attributes, or 15 arrays, is sent in several requests. -#}
{% macro may_split(types) %}
    {{ return(types | length > 50 or types.values() | select('equalto', 'string_array') | list | length > 15) }}
{% endmacro %}


{#- Merges a delta into its snapshot, then updates the rejects. -#}
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


{#- Updates the planner's statistics, where it would otherwise use those from before a push. -#}
{% macro refresh_statistics(table) %}{{ return(adapter.dispatch('refresh_statistics', 'dbt_batch_sync')(table)) }}{% endmacro %}
{% macro default__refresh_statistics(table) %}{% endmacro %}


{#- The attribute columns that a delta and its snapshot share: name, and value in the snapshot's type. -#}
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


{#- Converts a value to another type; values that can't be converted become null. `widens`: every value can be converted. -#}
{% macro converted(expression, have, dtype, widens) %}{{ return(adapter.dispatch('converted', 'dbt_batch_sync')(expression, have, dtype, widens)) }}{% endmacro %}
{#- Anything becomes a text. Otherwise, only a wider type keeps its values, because there is no `try_cast`. -#}
{% macro default__converted(expression, have, dtype, widens) %}
    {{ return('cast(' ~ (expression if widens or dtype == dbt_batch_sync.text_type() else 'null') ~ ' as ' ~ dtype ~ ')') }}
{% endmacro %}


{#- The doubt that remains once a row is settled: names that it did not send, and attributes whose type has changed since. -#}
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


{#- The doubt of a row that may have been sent: its earlier doubt and the names that it sends. -#}
{% macro doubt_added(names) -%}
    {{ dbt_batch_sync.joined_names("coalesce(s." ~ dbt_batch_sync.column('_batch_doubt') ~ ", '') || ',' || replace(d." ~ dbt_batch_sync.column('_batch_changed') ~ ", ',', ',,') || ','", names) }}
{%- endmacro %}


{#- Keeps each name once. -#}
{% macro joined_names(expression, names) -%}
    {%- set parts = [] -%}
    {%- for name in names %}{% do parts.append("case when " ~ dbt_batch_sync.in_doubt(expression, name) ~ " then '," ~ name ~ ",' else '' end") %}{% endfor -%}
    {{ parts | join(' || ') if parts else "''" }}
{%- endmacro %}


{#- The snapshot's row after a row of the delta is settled, by column: SQL about `d` and `s`. -#}
{% macro settled_values(columns, names, retyped, built, progress) %}
    {% set values = {built.key: 'd.' ~ dbt_batch_sync.column(built.key)} %}
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
        '_batch_doubt': 'cast(' ~ dbt_batch_sync.doubt_left(names, retyped, columns) ~ ' as ' ~ dbt_batch_sync.text_type() ~ ')',
        '_batch_opted_out': dbt_batch_sync.text(dbt_batch_sync.opted_out(columns, true))
    }) %}
    {{ return(values) }}
{% endmacro %}


{#- The statements that merge `source` (see `sent_rows`) into a snapshot. -#}
{% macro merge_statements(snapshot, source, columns, names, retyped, built, progress, in_doubt) %}
    {{ return(adapter.dispatch('merge_statements', 'dbt_batch_sync')(snapshot, source, columns, names, retyped, built, progress, in_doubt)) }}
{% endmacro %}

{#- One MERGE, which is atomic. -#}
{% macro default__merge_statements(snapshot, source, columns, names, retyped, built, progress, in_doubt) %}
    {% set id, doubt, memory = dbt_batch_sync.column(built.key), dbt_batch_sync.column('_batch_doubt'), dbt_batch_sync.column('_batch_opted_out') %}
    {% set merge -%}
        merge into {{ snapshot.render() }} as s
        using ({{ source }}) as d
        on s.{{ id }} = d.{{ id }}
        {%- if progress.settled %}
        {%- set values = dbt_batch_sync.settled_values(columns, names, retyped, built, progress) %}
        {%- set inserted = dbt_batch_sync.inserted_values(values) %}
        when matched and d._batch_settled = 1 then update set
            {%- for name, value in values.items() if name != built.key %}
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

{#- The same for a row that the snapshot doesn't have. -#}
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


{#- For warehouses on which a MERGE costs ten times as much or accepts no subquery: inserts the new rows and deletes the old ones, in the
    model's transaction. -#}
{% macro replacing_statements(snapshot, source, columns, names, retyped, built, progress, in_doubt) %}
    {% set id, doubt, memory = dbt_batch_sync.column(built.key), dbt_batch_sync.column('_batch_doubt'), dbt_batch_sync.column('_batch_opted_out') %}
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


{#- Puts attributes whose Batch type changed in doubt, for every profile with a value. -#}
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

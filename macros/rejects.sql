{#- How dbt updates `batch_sync_rejects`. A rejected row is parked until it changes. A reject is resolved once a later delta with it was
    accepted, or the model no longer differs. -#}


{#- After a merge: stores the hashes of rows that this delta's pushes had rejected, and resolves older rejects of what was sent. -#}
{% macro resolve_accepted(sync, snapshot, delta, built, progress) %}
    {% set rejects = dbt_batch_sync.beside(snapshot, 'batch_sync_rejects').render() %}
    {% set own_sync = 'sync = ' ~ dbt.string_literal(sync) ~ ' and resolved_at is null' %}
    {% if run_query('select 1 from ' ~ rejects ~ ' where ' ~ own_sync ~ ' limit 1').rows %}
        {% set id, changed = dbt_batch_sync.column(built.key), dbt_batch_sync.column('_batch_changed') %}
        {% set attributes = dbt_batch_sync.hashed_columns(delta, built.key) %}
        {% set own = 'r.delta_id = ' ~ dbt.string_literal(built.delta_id) %}
        {% set stands = '(' ~ own ~ ' and d.' ~ dbt_batch_sync.column('_batch_page') ~ ' <= r.reached)' %}
        {#- A new reject of a row or attribute resolves its older ones, and those of a run that settled nothing of it. -#}
        {% set query %}
            select
                r.row_id,
                coalesce(r.attribute, '') as attribute,
                r.delta_id,
                case when {{ stands }} then {{ dbt_batch_sync.row_hash('d', attributes) }} end as row_hash,
                case when {{ stands }} then 0 else 1 end as is_over
            from (
                select key as row_id, attribute, delta_id, {{ dbt_batch_sync.reached_by_run(progress) }} as reached
                from {{ rejects }}
                where {{ own_sync }}
                group by key, attribute, delta_id
            ) as r
            inner join {{ delta.render() }} as d on d.{{ id }} = r.row_id
            where d.{{ dbt_batch_sync.column('_batch_change') }} <> 'invalid' and {{ dbt_batch_sync.is_settled(progress) }}
                and (
                    r.attribute is null
                    or ({{ own }} and not {{ stands }})
                    or (not {{ own }} and {{ dbt_batch_sync.listed_in("',' || d." ~ changed ~ " || ','", "',' || r.attribute || ','") }})
                    {%- if built.whole %}
                    or (not {{ own }} and d.{{ dbt_batch_sync.column('_batch_change') }} = 'exit')
                    {%- endif %}
                )
        {% endset %}
        {% do run_query(dbt_batch_sync.update_rejects_sql(rejects, own_sync, query)) %}
    {% endif %}
{% endmacro %}


{#- After a build: a parked or rejected row that is not in the delta no longer differs. -#}
{% macro any_kind__resolve(sync, snapshot, delta, key) %}
    {% set rejects = dbt_batch_sync.beside(snapshot, 'batch_sync_rejects').render() %}
    {% set open = 'sync = ' ~ dbt.string_literal(sync) ~ ' and attribute is null and resolved_at is null' %}
    {% if run_query('select 1 from ' ~ rejects ~ ' where ' ~ open ~ ' limit 1').rows %}
        {% set query %}
            select distinct r.key as row_id, '' as attribute, r.delta_id, {{ dbt_batch_sync.text('null') }} as row_hash, 1 as is_over
            from (select * from {{ rejects }} where {{ open }}) as r
            left join {{ delta.render() }} as d on d.{{ dbt_batch_sync.column(key) }} = r.key
            where d.{{ dbt_batch_sync.column(key) }} is null
        {% endset %}
        {% do run_query(dbt_batch_sync.update_rejects_sql(rejects, open, query)) %}
    {% endif %}
{% endmacro %}


{#- Sets `sent_hash` and `resolved_at` of open rejects from a query of `row_id`, `attribute`, `delta_id`, `row_hash` and `is_over`. -#}
{% macro update_rejects_sql(rejects, open, query) %}{{ return(adapter.dispatch('update_rejects_sql', 'dbt_batch_sync')(rejects, open, query)) }}{% endmacro %}
{% macro default__update_rejects_sql(rejects, open, query) -%}
    merge into {{ rejects }} as o
    using ({{ query }}) as n
    on o.key = n.row_id and coalesce(o.attribute, '') = n.attribute and o.delta_id = n.delta_id and o.{{ open | replace(' and ', ' and o.') }}
    when matched then update set
        sent_hash = coalesce(n.row_hash, o.sent_hash),
        resolved_at = case when n.is_over = 1 then {{ dbt_batch_sync.utc_now() }} end
{%- endmacro %}

{% macro updating_rejects_sql(rejects, open, query) -%}
    update {{ rejects }}
    set sent_hash = coalesce(n.row_hash, sent_hash), resolved_at = case when n.is_over = 1 then {{ dbt_batch_sync.utc_now() }} end
    from ({{ query }}) as n
    where key = n.row_id and coalesce({{ rejects }}.attribute, '') = n.attribute and {{ rejects }}.delta_id = n.delta_id and {{ open | replace('attribute is', rejects ~ '.attribute is') }}
{%- endmacro %}


{#- Whether a text contains another one between commas. -#}
{% macro listed_in(listed, name) %}{{ return(dbt.position(name, listed) ~ ' > 0') }}{% endmacro %}


{#- The attribute columns of a delta in the form in which they are hashed, by name. -#}
{% macro hashed_columns(delta, key) %}
    {% set names = {} %}
    {% for column in dbt_batch_sync.columns_of(delta) if not (column.name | lower).startswith('_batch_') and column.name | lower != key %}
        {% do names.update({column.name | lower: column}) %}
    {% endfor %}
    {% set columns = [] %}
    {% for name in names | sort %}{% do columns.append({'name': name, 'dtype': (dbt_batch_sync.column_kind(names[name]) or {}).get('dtype')}) %}{% endfor %}
    {{ return(columns) }}
{% endmacro %}

{#- A hash of the values that Batch would hold after a row of the delta. A parked row stays parked while its hash is the same. -#}
{% macro row_hash(row, columns) -%}
    {%- set parts = [] -%}
    {%- for column in columns -%}
        {%- set text = dbt_batch_sync.hashed_text(row ~ '.' ~ dbt_batch_sync.column(column.name), column.dtype) -%}
        {%- do parts.append("coalesce(" ~ dbt_batch_sync.text('length(' ~ text ~ ')') ~ " || ':' || " ~ text ~ ", '-')") -%}
    {%- endfor -%}
    {{ dbt_batch_sync.md5_of(parts | join(' || ')) if parts else "''" }}
{%- endmacro %}

{% macro md5_of(expression) %}{{ return(adapter.dispatch('md5_of', 'dbt_batch_sync')(expression)) }}{% endmacro %}
{% macro default__md5_of(expression) %}{{ return(dbt.hash(expression)) }}{% endmacro %}

{% macro hashed_text(expression, dtype) %}{{ return(adapter.dispatch('hashed_text', 'dbt_batch_sync')(expression, dtype)) }}{% endmacro %}
{% macro default__hashed_text(expression, dtype) %}{{ return('cast(' ~ expression ~ ' as ' ~ dbt_batch_sync.text_type() ~ ')') }}{% endmacro %}

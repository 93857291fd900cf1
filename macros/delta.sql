{#- The body of `<sync>_delta`: every row in which the model differs from what Batch last accepted. Its columns depend on the mapping, so a
    contract can't know them. -#}
{% macro delta(sync, key='custom_id', version=none) %}
    {% set model_relation = dbt_batch_sync.model_relation(sync, version) %}
    {% set snapshot_relation = builtins.ref(sync ~ '_sent_snapshot') %}
    {{ config(
        materialized='table',
        contract={'enforced': false},
        pre_hook=[
            {'sql': "{{ dbt_batch_sync.announce_build('" ~ sync ~ "') }}", 'transaction': not dbt_batch_sync.commit_at_once()},
            {'sql': "{{ dbt_batch_sync.merge_sent('" ~ sync ~ "') }}", 'transaction': true}
        ],
        post_hook="{{ dbt_batch_sync.record_build('" ~ sync ~ "') }}"
    ) }}
    {% do dbt_batch_sync.set_defaults(dbt_batch_sync.delta_defaults(key)) %}
    {% if execute %}
        {% do dbt_batch_sync.check_storage() %}
        {% set mapping = dbt_batch_sync.sync_mapping(sync) %}
        {% do dbt_batch_sync.check_key(sync, mapping, key) %}
        {% set attributes = dbt_batch_sync.sync_attributes(sync, model_relation, mapping) %}
        {% if attributes is none %}
            {{ dbt_batch_sync.not_built_yet(model_relation) }}
        {% else %}
            {{ dbt_batch_sync.kind_macro(mapping.kind, 'delta_sql')(sync, model_relation, snapshot_relation, mapping, attributes) }}
        {% endif %}
    {% endif %}
{% endmacro %}


{% macro any_kind__delta_sql(sync, model_relation, snapshot_relation, mapping, attributes) %}
    {% do dbt_batch_sync.snapshot_columns(snapshot_relation, mapping.key, attributes[1:]) %}
    {{ dbt_batch_sync.delta_sql(model_relation, snapshot_relation, mapping, attributes, dbt_batch_sync.open_parked(sync, snapshot_relation) if mapping.kind != 'deletions' else '', dbt_batch_sync.erased_people(sync, mapping, snapshot_relation)) }}
{% endmacro %}


{#- One select for all warehouses; the macros in `adapters/` contain the differences. It is a full join by key with one condition per
    attribute. Duplicates are searched among the rows that differ, and read from the model again only if there are any. -#}
{% macro delta_sql(model_relation, snapshot_relation, mapping, attributes, parked, erased='') %}
{%- set id = dbt_batch_sync.column(mapping.key) -%}
{%- set exited = dbt_batch_sync.column('_batch_exited_at') -%}
{%- set change, changed, reason = dbt_batch_sync.column('_batch_change'), dbt_batch_sync.column('_batch_changed'), dbt_batch_sync.column('_batch_reason') -%}
{%- set values = attributes[1:] -%}
{%- set guarded = values | selectattr('guarded') | list -%}
{%- set is_parked = 'parked.sent_hash = ' ~ dbt_batch_sync.row_hash('compared', values | sort(attribute='name')) if parked else '' -%}
with model_rows as (
    {{ dbt_batch_sync.model_rows(model_relation, attributes) }}
),

duplicated as (
    select {{ dbt_batch_sync.identifier_expression(attributes[0]) }} as {{ id }}
    from (select * from {{ model_relation }}) as model
    where {{ dbt_batch_sync.model_column(attributes[0].column) }} is not null
    group by 1
    having count(*) > 1
),

known_rows as (
    select sent.*, 1 as _batch_known
    from {{ snapshot_relation.render() }} as sent
),

compared as (
    select
        coalesce(c.{{ id }}, s.{{ id }}) as {{ id }},
        c._batch_here,
        s._batch_known,
        s.{{ exited }},
        case when c._batch_here = 1 then {{ dbt_batch_sync.kind_macro(mapping.kind, 'row_problem')('c', mapping, attributes) }} end as _batch_problem
        {%- for attribute in values %},
        {{ dbt_batch_sync.kind_macro(mapping.kind, 'to_send')(mapping, attribute) }} as _batch_send_{{ loop.index }}
        {%- endfor %}
        {%- for attribute in guarded %},
        {{ dbt_batch_sync.newly_blocked(attribute) }} as _batch_blocked_{{ loop.index }}
        {%- endfor %}
        {%- for attribute in values %},
        {{ dbt_batch_sync.kind_macro(mapping.kind, 'held_value')(mapping, attribute) }} as {{ dbt_batch_sync.column(attribute.name) }}
        {%- endfor %}
    from model_rows as c
    full join known_rows as s on s.{{ id }} = c.{{ id }}
),
{%- if parked %}

parked as (
    {{ parked }}
),
{%- endif %}
{%- if erased %}

erased as (
    {{ erased }}
),
{%- endif %}

changes as (
    select
        compared.{{ id }},
        case
            when compared._batch_problem is not null{% if parked %} or {{ is_parked }}{% endif %} then 'invalid'
            when compared._batch_here is null then 'exit'
            when compared._batch_known is null then 'insert'
            else 'update'
        end as {{ change }},
        {{ dbt_batch_sync.changed_names(values) }} as {{ changed }},
        {{ dbt_batch_sync.row_reason(guarded, is_parked) }} as {{ reason }}
        {%- for attribute in values %},
        compared.{{ dbt_batch_sync.column(attribute.name) }}
        {%- endfor %}
    from compared
    left join duplicated on duplicated.{{ id }} = compared.{{ id }}
    {%- if parked %}
    left join parked on parked.row_id = compared.{{ id }}
    {%- endif %}
    {%- if erased %}
    left join erased on erased.row_id = compared.{{ id }}
    {%- endif %}
    where
        duplicated.{{ id }} is null
        {%- if erased %}
        and erased.row_id is null
        {%- endif %}
        and (
            compared._batch_known is null
            or (compared._batch_here is null and compared.{{ exited }} is null)
            or (compared._batch_here = 1 and compared.{{ exited }} is not null)
            {%- for attribute in values %}
            or compared._batch_send_{{ loop.index }}
            {%- endfor %}
            {%- for attribute in guarded %}
            or compared._batch_blocked_{{ loop.index }}
            {%- endfor %}
        )
    union all
    select
        c.{{ id }},
        'invalid' as {{ change }},
        '' as {{ changed }},
        'duplicate_identifier' as {{ reason }}
        {%- for attribute in values %},
        c.{{ dbt_batch_sync.column(attribute.name) }}
        {%- endfor %}
    from ({{ dbt_batch_sync.model_rows(model_relation, attributes) }}) as c
    inner join duplicated on duplicated.{{ id }} = c.{{ id }}
    {%- if erased %}
    left join erased on erased.row_id = c.{{ id }}
    where erased.row_id is null
    union all
    select
        c.{{ id }},
        'invalid' as {{ change }},
        '' as {{ changed }},
        'erased' as {{ reason }}
        {%- for attribute in values %},
        {{ dbt_batch_sync.stored_null(attribute.dtype, false) }} as {{ dbt_batch_sync.column(attribute.name) }}
        {%- endfor %}
    from (select distinct {{ id }} from model_rows) as c
    inner join erased on erased.row_id = c.{{ id }}
    {%- endif %}
)

select
    {{ id }},
    {{ dbt_batch_sync.text(change) }} as {{ change }},
    {{ dbt_batch_sync.text("case when " ~ change ~ " = 'invalid' then '' else " ~ changed ~ " end") }} as {{ changed }},
    {{ dbt_batch_sync.text(reason) }} as {{ reason }},
    {{ dbt_batch_sync.page_expression(id) }} as {{ dbt_batch_sync.column('_batch_page') }},
    {{ dbt_batch_sync.text_literal(invocation_id) }} as {{ dbt_batch_sync.column('_batch_delta_id') }}
    {%- for attribute in values %},
    {{ dbt_batch_sync.column(attribute.name) }}
    {%- endfor %}
from changes
{{ dbt_batch_sync.delta_order() }}
{% endmacro %}


{#- The model's rows in the delta's columns and types. -#}
{% macro model_rows(model_relation, attributes) -%}
    select
        {{ dbt_batch_sync.identifier_expression(attributes[0]) }} as {{ dbt_batch_sync.column(attributes[0].name) }}
        {%- for attribute in attributes[1:] %},
        {{ attribute.expression }} as {{ dbt_batch_sync.column(attribute.name) }}
        {%- endfor %},
        1 as _batch_here
    from (select * from {{ model_relation }}) as model
{%- endmacro %}


{#- The names of the attributes to send, comma separated. -#}
{% macro changed_names(attributes) -%}
    {%- set parts = [] -%}
    {%- for attribute in attributes -%}
        {%- do parts.append("case when compared._batch_send_" ~ loop.index ~ " then '," ~ attribute.name ~ "' else '' end") -%}
    {%- endfor -%}
    {{ 'substr(' ~ parts | join('\n            || ') ~ ', 2)' if parts else "''" }}
{%- endmacro %}


{#- Why a row is invalid; for other rows, the consents that are held back because of an opt-out. -#}
{% macro row_reason(guarded, is_parked) -%}
    {%- set blocked, parts = [], [] -%}
    {%- for attribute in guarded -%}
        {%- do blocked.append('compared._batch_blocked_' ~ loop.index) -%}
        {%- do parts.append('case when compared._batch_blocked_' ~ loop.index ~ " then '," ~ attribute.name ~ "' else '' end") -%}
    {%- endfor -%}
    case
        when compared._batch_problem is not null then compared._batch_problem
        {%- if is_parked %}
        when {{ is_parked }} then 'parked'
        {%- endif %}
        {%- if parts %}
        when {{ blocked | join(' or ') }} then 'never_resubscribe:' || substr({{ parts | join(' || ') }}, 2)
        {%- endif %}
    end
{%- endmacro %}


{#- A query of `row_id` and `sent_hash`: the rows that Batch rejected and that have not changed. Empty if there are none. -#}
{% macro open_parked(sync, snapshot) %}
    {% set rejects = dbt_batch_sync.beside(api.Relation.create(database=snapshot.database, schema=snapshot.schema, identifier=snapshot.identifier), 'batch_sync_rejects') %}
    {% if flags.WHICH not in ('run', 'build', 'retry') and dbt_batch_sync.existing_table(rejects.database, rejects.schema, rejects.identifier) is none %}
        {{ return('') }}
    {% endif %}
    {% set open = rejects.render() ~ ' where sync = ' ~ dbt.string_literal(sync) ~ ' and attribute is null and resolved_at is null' %}
    {% if not run_query('select 1 from ' ~ open ~ ' limit 1').rows %}{{ return('') }}{% endif %}
    {{ return('select key as row_id, max(sent_hash) as sent_hash from ' ~ open ~ ' group by key') }}
{% endmacro %}

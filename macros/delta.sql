{#- The body of `<sync>_delta`: every row in which the sync differs from what Batch last accepted. -#}
{% macro delta(sync) %}
    {% set sync_relation = ref(sync) %}
    {% set snapshot_relation = ref(sync ~ '_sent_snapshot') %}
    {{ config(
        materialized='table',
        indexes=dbt_batch_sync.delta_indexes(),
        cluster_by=dbt_batch_sync.delta_clusters(),
        dist=dbt_batch_sync.stored_by(),
        sort=dbt_batch_sync.stored_by(),
        pre_hook="{{ dbt_batch_sync.absorb_doubt('" ~ sync ~ "') }}"
    ) }}
    {% if execute %}
        {% do dbt_batch_sync.check_storage() %}
        {% set mapping = dbt_batch_sync.sync_mapping(sync) %}
        {% set attributes = dbt_batch_sync.sync_attributes(sync, sync_relation, mapping) %}
        {% if attributes is none %}
            {{ dbt_batch_sync.not_built_yet(sync_relation) }}
        {% else %}
            {% set known = dbt_batch_sync.snapshot_columns(snapshot_relation, attributes) %}
            {{ adapter.dispatch('delta_sql', 'dbt_batch_sync')(
                sync_relation, snapshot_relation, mapping, attributes, known
            ) }}
        {% endif %}
    {% endif %}
{% endmacro %}


{#- One select for every warehouse; what differs between them is behind the small macros of `adapters/`. Duplicates are looked up
    among the rows that differ, and taken from the sync once more where there are any: what is joined is only ever two tables. -#}
{% macro default__delta_sql(sync_relation, snapshot_relation, mapping, attributes, known) %}
{%- set id = dbt_batch_sync.column('custom_id') -%}
{%- set doubted = dbt_batch_sync.column('_batch_doubt') -%}
{%- set exited = dbt_batch_sync.column('_batch_exited_at') -%}
with sync_rows as (
    {{ dbt_batch_sync.sync_rows(sync_relation, attributes) }}
),

duplicated as (
    select {{ dbt_batch_sync.identifier_expression(attributes[0]) }} as {{ id }}
    from (select * from {{ sync_relation }}) as sync
    where {{ dbt_batch_sync.sync_column(attributes[0].column) }} is not null
    group by 1
    having count(*) > 1
),

known_rows as (
    select sent.*, 1 as _batch_known
    from (select * from {{ snapshot_relation }}) as sent
),

differing as (
    select
        coalesce(c.{{ id }}, s.{{ id }}) as {{ id }},
        c._batch_here,
        s._batch_known,
        s.{{ exited }},
        case when c._batch_here = 1 then {{ dbt_batch_sync.identifier_problem('c', attributes[0]) }} end as _batch_reason,
        {{ dbt_batch_sync.changed_names(mapping, attributes[1:]) }} as _batch_changed,
        {{ dbt_batch_sync.remaining_doubt(mapping, attributes[1:], known) }} as {{ doubted }}
        {%- for attribute in attributes[1:] %},
        {{ dbt_batch_sync.held_value(mapping, attribute) }} as {{ dbt_batch_sync.column(attribute.name) }}
        {%- endfor %}
    from sync_rows as c
    full join known_rows as s on s.{{ id }} = c.{{ id }}
    where
        s._batch_known is null
        or (c._batch_here is null and (s.{{ exited }} is null or s.{{ doubted }} is not null))
        or (
            c._batch_here = 1
            and (
                s.{{ exited }} is not null
                or s.{{ doubted }} is not null
                {%- for attribute in attributes[1:] %}
                or {{ dbt_batch_sync.differs(attribute) }}
                {%- endfor %}
            )
        )
    {{ dbt_batch_sync.evaluated_first() }}
)

select
    differing.{{ id }},
    {{ dbt_batch_sync.text(
        "case when _batch_reason is not null then 'invalid' when _batch_here is null then 'exit'"
        " when _batch_known is null then 'insert' else 'update' end"
    ) }} as {{ dbt_batch_sync.column('_batch_change') }},
    {{ dbt_batch_sync.text("case when _batch_reason is null then _batch_changed else '' end") }} as {{ dbt_batch_sync.column('_batch_changed') }},
    {{ dbt_batch_sync.text('_batch_reason') }} as {{ dbt_batch_sync.column('_batch_reason') }},
    {{ dbt_batch_sync.delta_identity(mapping, attributes) }},
    {{ doubted }}
    {%- for attribute in attributes[1:] %},
    {{ dbt_batch_sync.column(attribute.name) }}
    {%- endfor %}
from differing
left join duplicated on duplicated.{{ id }} = differing.{{ id }}
where
    duplicated.{{ id }} is null
    and (
        _batch_known is null
        or _batch_changed <> ''
        or (_batch_here is null and {{ exited }} is null)
        or (_batch_here = 1 and {{ exited }} is not null)
    )
union all
select
    c.{{ id }},
    {{ dbt_batch_sync.text("'invalid'") }} as {{ dbt_batch_sync.column('_batch_change') }},
    {{ dbt_batch_sync.text("''") }} as {{ dbt_batch_sync.column('_batch_changed') }},
    {{ dbt_batch_sync.text("'duplicate_identifier'") }} as {{ dbt_batch_sync.column('_batch_reason') }},
    {{ dbt_batch_sync.delta_identity(mapping, attributes) }},
    {{ dbt_batch_sync.text('null') }} as {{ doubted }}
    {%- for attribute in attributes[1:] %},
    c.{{ dbt_batch_sync.column(attribute.name) }}
    {%- endfor %}
from ({{ dbt_batch_sync.sync_rows(sync_relation, attributes) }}) as c
inner join duplicated on duplicated.{{ id }} = c.{{ id }}
{{ dbt_batch_sync.delta_order() }}
{% endmacro %}


{#- A sync's rows in the delta's columns and types. -#}
{% macro sync_rows(sync_relation, attributes) -%}
    select
        {{ dbt_batch_sync.identifier_expression(attributes[0]) }} as {{ dbt_batch_sync.column('custom_id') }}
        {%- for attribute in attributes[1:] %},
        {{ attribute.expression }} as {{ dbt_batch_sync.column(attribute.name) }}
        {%- endfor %},
        1 as _batch_here
    from (select * from {{ sync_relation }}) as sync
{%- endmacro %}


{#- What is the same in every row of a delta: which one it is, and what it was built with. -#}
{% macro delta_identity(mapping, attributes) -%}
    {{ dbt_batch_sync.text_literal(invocation_id) }} as {{ dbt_batch_sync.column('_batch_delta_id') }},
    {{ dbt_batch_sync.text_literal(dbt_batch_sync.mapping_hash(mapping)) }} as {{ dbt_batch_sync.column('_batch_mapping') }},
    {{ dbt_batch_sync.text_literal(dbt_batch_sync.type_list(attributes[1:])) }} as {{ dbt_batch_sync.column('_batch_types') }}
{%- endmacro %}


{#- Whether what Batch holds of a profile in the sync has to change. With `keep` a null is no change. -#}
{% macro differs(attribute) -%}
    {%- set name = dbt_batch_sync.column(attribute.name) -%}
    ({{ dbt_batch_sync.is_distinct('c.' ~ name, 's.' ~ name, attribute.dtype) }}
    {%- if attribute.keep %} and c.{{ name }} is not null{% endif %})
{%- endmacro %}


{#- Whether an attribute has to be sent: it differs, or what Batch holds of it is in doubt. -#}
{% macro to_send(mapping, attribute) -%}
    {%- set name = dbt_batch_sync.column(attribute.name) -%}
    {%- set doubt = dbt_batch_sync.in_doubt('s.' ~ dbt_batch_sync.column('_batch_doubt'), attribute.name) -%}
    case when c._batch_here = 1 then (
        {{ dbt_batch_sync.differs(attribute) }}
        or ({{ doubt }}{% if attribute.keep %} and c.{{ name }} is not null{% endif %})
    ) else (
    {%- if mapping.on_exit == 'clear' %} s.{{ name }} is not null or {{ doubt }}
    {%- elif mapping.on_exit == 'flag' and attribute.membership %} {{ dbt_batch_sync.is_distinct('s.' ~ name, 'false', attribute.dtype) }} or {{ doubt }}
    {%- else %} 1 = 0{% endif %} ) end
{%- endmacro %}


{% macro changed_names(mapping, attributes) -%}
    {%- set parts = [] -%}
    {%- for attribute in attributes -%}
        {%- do parts.append("case when " ~ dbt_batch_sync.to_send(mapping, attribute) ~ " then '," ~ attribute.name ~ "' else '' end") -%}
    {%- endfor -%}
    substr({{ parts | join('\n            || ') }}, 2)
{%- endmacro %}


{#- The names that stay in doubt when this row is committed: those that it does not send. -#}
{% macro remaining_doubt(mapping, attributes, known) -%}
    {%- set by_name = {} -%}
    {%- for attribute in attributes %}{% do by_name.update({attribute.name: attribute}) %}{% endfor -%}
    {%- set parts = [] -%}
    {%- set doubt = 's.' ~ dbt_batch_sync.column('_batch_doubt') -%}
    {%- for name in known -%}
        {%- set still = dbt_batch_sync.in_doubt(doubt, name) -%}
        {%- if name in by_name %}{% set still = still ~ ' and not (' ~ dbt_batch_sync.to_send(mapping, by_name[name]) ~ ')' %}{% endif -%}
        {%- do parts.append("case when " ~ still ~ " then '," ~ name ~ ",' else '' end") -%}
    {%- endfor -%}
    case when {{ doubt }} is not null then nullif({{ parts | join('\n            || ') }}, '') end
{%- endmacro %}


{#- What Batch will hold of an attribute once this row is accepted: what the commit writes to the snapshot. -#}
{% macro held_value(mapping, attribute) -%}
    {%- set name = dbt_batch_sync.column(attribute.name) -%}
    case when c._batch_here = 1 then {% if attribute.keep %}coalesce(c.{{ name }}, s.{{ name }}){% else %}c.{{ name }}{% endif %}
    {%- if mapping.on_exit == 'flag' and attribute.membership %} else false
    {%- elif mapping.on_exit != 'clear' %} else s.{{ name }}{% endif %} end
{%- endmacro %}

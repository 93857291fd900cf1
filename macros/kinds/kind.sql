{#- What differs between kinds: `<kind>__<name>` in the kind's own file, or `any_kind__<name>` here. -#}

{% macro kinds() %}{{ return(['profiles', 'audience', 'catalog', 'events', 'deletions']) }}{% endmacro %}

{% macro kind_macro(kind, name) %}
    {% set own = dbt_batch_sync[kind ~ '__' ~ name] %}
    {{ return(own if own is defined else dbt_batch_sync['any_kind__' ~ name]) }}
{% endmacro %}


{#- The key is given in the model, because dbt configures indexes and clustering before it knows the mapping. -#}
{% macro check_key(sync, mapping, key) %}
    {% if key != mapping.key %}
        {{ exceptions.raise_compiler_error("dbt_batch_sync: the key of a sync of kind `" ~ mapping.kind ~ "` is `" ~ mapping.key ~ "`. Change " ~ model.original_file_path ~ " to call the macro with ('" ~ sync ~ "'" ~ (", key='" ~ mapping.key ~ "'" if mapping.key != 'custom_id' else '') ~ ")") }}
    {% endif %}
{% endmacro %}


{#- The attributes of a kind whose rows are sent whole and removed: the listed ones, and whether Batch has the row. -#}
{% macro listed_attributes(sync, mapping, columns) %}
    {% set attributes = [] %}
    {% for entry in dbt_batch_sync.listed_entries(mapping.listed, 'clear') %}
        {% do attributes.append(dbt_batch_sync.typed_attribute(sync, columns, entry.column, entry.name, entry.type, entry.on_null)) %}
    {% endfor %}
    {% do dbt_batch_sync.check_names(sync, attributes) %}
    {{ return(attributes + [{
        'name': 'batch__present', 'column': none, 'type': 'boolean', 'dtype': dbt_batch_sync.boolean_type(),
        'expression': 'true', 'keep': false, 'membership': true, 'guarded': false
    }]) }}
{% endmacro %}


{#- Why a row of the model can't be sent, or null. -#}
{% macro any_kind__row_problem(row, mapping, attributes) %}{{ return(dbt_batch_sync.identifier_problem(row, attributes[0])) }}{% endmacro %}


{#- Whether an attribute is sent: it differs from what Batch holds, is in doubt, or is a consent that was blocked and is now allowed. With
    `keep`, a null is no change. -#}
{% macro any_kind__to_send(mapping, attribute) -%}
    {%- set name = dbt_batch_sync.column(attribute.name) -%}
    {%- set c, s, doubt = 'c.' ~ name, 's.' ~ name, 's.' ~ dbt_batch_sync.column('_batch_doubt') -%}
    {%- set doubted = 'case when ' ~ doubt ~ ' is not null then ' ~ dbt_batch_sync.in_doubt(doubt, attribute.name) ~ ' else false end' -%}
    case when c._batch_here = 1 then
        ({{ dbt_batch_sync.is_distinct(c, s, attribute.dtype) }} or {{ doubted }}{% if attribute.resubscribed %} or {{ dbt_batch_sync.is_blocked(attribute) }}{% endif %})
        {%- if attribute.keep %} and {{ c }} is not null{% endif %}
        {%- if attribute.guarded %} and not {{ dbt_batch_sync.is_blocked(attribute) }}{% endif %}
    when s.{{ dbt_batch_sync.column('_batch_exited_at') }} is null or {{ doubt }} is not null then {% if mapping.on_exit == 'clear' -%}
        ({{ s }} is not null or {{ doubted }}){% if attribute.guarded %} and not {{ dbt_batch_sync.is_opted_out(attribute) }}{% endif %}
    {%- elif mapping.on_exit == 'flag' and attribute.membership -%}
        ({{ dbt_batch_sync.is_distinct(s, 'false', attribute.dtype) }} or {{ doubted }})
    {%- else -%}
        false
    {%- endif %} else false end
{%- endmacro %}


{#- The value that Batch holds once this row is accepted, and that is merged into the snapshot. -#}
{% macro any_kind__held_value(mapping, attribute) -%}
    {%- set name = dbt_batch_sync.column(attribute.name) -%}
    case when c._batch_here = 1 then {% if attribute.keep %}coalesce(c.{{ name }}, s.{{ name }}){% else %}c.{{ name }}{% endif %}
    {%- if mapping.on_exit == 'flag' and attribute.membership %} else false
    {%- elif mapping.on_exit != 'clear' %} else s.{{ name }}{% endif %} end
{%- endmacro %}


{#- Runs after the old delta is merged and before the new one is built. -#}
{% macro any_kind__after_merge(sync, mapping, snapshot) %}{% endmacro %}

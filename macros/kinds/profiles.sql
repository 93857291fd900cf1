{#- Profiles: standard attributes, consents and the memory of opt-outs. -#}

{% macro profiles__read_mapping(sync, raw) %}
    {{ return({
        'key': 'custom_id',
        'standard': raw.get('standard') or {},
        'custom': raw.get('custom') or [],
        'exclude': raw.get('exclude') or [],
        'on_null': raw.get('on_null') or 'clear',
        'consent_on_null': raw.get('on_null') or 'keep',
        'never_resubscribe': (raw.get('guards') or {}).get('never_resubscribe', true),
        'on_exit': raw.get('on_exit') or 'ignore',
        'membership': raw.get('membership') or ''
    }) }}
{% endmacro %}


{% macro profiles__attributes(sync, mapping, columns) %}
    {% set attributes = [] %}
    {% for key, entry in mapping.standard.items() %}
        {% set column = entry.column if entry is mapping else entry %}
        {% set name = 'batch__' ~ key %}
        {% set consent = name in dbt_batch_sync.consents() %}
        {% set attribute = dbt_batch_sync.typed_attribute(sync, columns, column, name, dbt_batch_sync.standard_type(key), mapping.consent_on_null if consent else mapping.on_null) %}
        {% if entry is mapping and entry.normalize == 'trim_lower' %}
            {% set normalized = 'lower(' ~ dbt_batch_sync.trimmed(dbt_batch_sync.spaces_for_blanks(attribute.expression)) ~ ')' %}
            {% do attribute.update({'expression': dbt_batch_sync.empty_as_null(normalized, 'string') if attribute.keep else normalized}) %}
        {% endif %}
        {% do attributes.append(dict(attribute, guarded=consent and mapping.never_resubscribe, resubscribed=consent and not mapping.never_resubscribe)) %}
    {% endfor %}
    {% for entry in dbt_batch_sync.listed_entries([] if mapping.custom is string else mapping.custom, mapping.on_null) %}
        {% do attributes.append(dbt_batch_sync.typed_attribute(sync, columns, entry.column, entry.name, entry.type, entry.on_null)) %}
    {% endfor %}
    {% if mapping.custom is string %}
        {% set used = [dbt_batch_sync.mapped_column(sync, columns, mapping.identifier, 'identifier').name] + (attributes | map(attribute='column') | list) %}
        {% for name in mapping.exclude %}
            {% do used.extend(dbt_batch_sync.columns_called(columns, name) | map(attribute='name')) %}
        {% endfor %}
        {% for column in columns if column.name not in used %}
            {% do attributes.append(dbt_batch_sync.typed_attribute(sync, columns, column.name, column.name | lower, '', mapping.on_null)) %}
        {% endfor %}
    {% endif %}
    {% if mapping.membership %}
        {% do attributes.append({
            'name': mapping.membership, 'column': none, 'type': 'boolean', 'dtype': dbt_batch_sync.boolean_type(),
            'expression': 'true', 'keep': false, 'membership': true, 'guarded': false
        }) %}
    {% endif %}
    {% do dbt_batch_sync.check_names(sync, attributes[mapping.standard | length:]) %}
    {{ return(attributes) }}
{% endmacro %}


{#- Standard attributes are texts, except for topics. Values are checked when they are rendered. -#}
{% macro standard_type(key) %}
    {% if key == 'topic_preferences' %}{{ return('string_array') }}{% endif %}
    {{ return('boolean_or_words' if key.endswith('_marketing') else 'standard_string') }}
{% endmacro %}


{% macro consents() %}{{ return(['batch__email_marketing', 'batch__sms_marketing']) }}{% endmacro %}


{#- Whether a consent is given, or withdrawn. Null is neither. If a boolean column became one of Batch's words, its old values are kept as
    texts. -#}
{% macro consent_is(expression, dtype, given) %}
    {% if dtype | lower == dbt_batch_sync.boolean_type() | lower %}{{ return(expression ~ ' = ' ~ ('true' if given else 'false')) }}{% endif %}
    {{ return(expression ~ (" in ('subscribed', 'true')" if given else " in ('unsubscribed', 'false')")) }}
{% endmacro %}


{#- `_batch_opted_out` after row `d` of the delta was sent over row `s` of the snapshot: the consents last sent as `unsubscribed`. A
    `subscribed` that only may have been sent removes none. -#}
{% macro opted_out(columns, settled) -%}
    {%- set memory = 's.' ~ dbt_batch_sync.column('_batch_opted_out') -%}
    {%- set listed = "',' || d." ~ dbt_batch_sync.column('_batch_changed') ~ " || ','" -%}
    {%- set mapped, parts = {}, [] -%}
    {%- for column in columns if column.name in dbt_batch_sync.consents() %}{% do mapped.update({column.name: column}) %}{% endfor -%}
    {%- for name in dbt_batch_sync.consents() -%}
        {%- set cases = [] -%}
        {%- if name in mapped -%}
            {%- set sent = dbt_batch_sync.in_doubt(listed, name) -%}
            {%- do cases.append('when ' ~ sent ~ ' and ' ~ dbt_batch_sync.consent_is(mapped[name].value, mapped[name].dtype, false) ~ " then '," ~ name ~ ",'") -%}
            {%- if settled %}{% do cases.append('when ' ~ sent ~ ' and ' ~ dbt_batch_sync.consent_is(mapped[name].value, mapped[name].dtype, true) ~ " then ''") %}{% endif -%}
        {%- endif -%}
        {%- do parts.append('case ' ~ cases | join(' ') ~ ' when ' ~ dbt_batch_sync.in_doubt(memory, name) ~ " then '," ~ name ~ ",' else '' end") -%}
    {%- endfor -%}
    {{ ('nullif(' ~ parts | join(' || ') ~ ", '')") if mapped else memory }}
{%- endmacro %}


{#- Whether a profile opted out of a consent. The snapshot remembers it through nulls, exits and returns. -#}
{% macro is_opted_out(attribute) -%}
    case when s.{{ dbt_batch_sync.column('_batch_opted_out') }} is not null then {{ dbt_batch_sync.in_doubt('s.' ~ dbt_batch_sync.column('_batch_opted_out'), attribute.name) }} else false end
{%- endmacro %}

{#- Whether the model's consent must not be sent. -#}
{% macro is_blocked(attribute) -%}
    (c.{{ dbt_batch_sync.column(attribute.name) }} is not null and {{ dbt_batch_sync.consent_is('c.' ~ dbt_batch_sync.column(attribute.name), attribute.dtype, true) }} and {{ dbt_batch_sync.is_opted_out(attribute) }})
{%- endmacro %}

{#- Whether the consent is blocked for the first time. -#}
{% macro newly_blocked(attribute) -%}
    {%- set name = dbt_batch_sync.column(attribute.name) -%}
    (c._batch_here = 1 and {{ dbt_batch_sync.is_distinct('c.' ~ name, 's.' ~ name, attribute.dtype) }} and {{ dbt_batch_sync.is_blocked(attribute) }})
{%- endmacro %}

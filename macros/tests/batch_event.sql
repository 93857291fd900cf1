{#- Names that a push would reject, with their events; a null is one of them. -#}
{% test batch_event_name(model, column_name) %}
    select value, 'invalid_name' as reason
    from (select {{ dbt_batch_sync.tested_text(column_name) }} as value from {{ model }}) as names
    where value is null or not {{ dbt_batch_sync.full_match('value', '[a-z0-9_]{1,30}') }}
{% endtest %}

{#- The same rules as in the delta. `profile`: the column with the `custom_id`, to find ids of several profiles. -#}
{% test batch_event_id(model, column_name, profile=none) %}
    {%- set id = dbt_batch_sync.column('event_id') %}
    select {{ id }}, reason from (
        select
            {{ id }},
            case
                when {{ id }} is null then 'null_event_id'
                {%- if profile %}
                when count(*) over (partition by {{ id }}) > 1 and min(profile) over (partition by {{ id }}) <> max(profile) over (partition by {{ id }})
                    then 'event_id_of_two_profiles'
                {%- endif %}
                when count(*) over (partition by {{ id }}) > 1 then 'duplicate_event_id'
            end as reason
        from (select {{ dbt_batch_sync.tested_text(column_name) }} as {{ id }}{% if profile %}, {{ dbt_batch_sync.tested_text(profile) }} as profile{% endif %} from {{ model }}) as events
    ) as checked
    where reason is not null
{% endtest %}

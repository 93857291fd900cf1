{#- Audiences: each row of the model is a member with all its attributes. Rows that leave are removed. -#}

{% macro audience__read_mapping(sync, raw) %}
    {{ return({'key': 'custom_id', 'on_exit': 'flag', 'listed': raw.get('attributes') or []}) }}
{% endmacro %}


{% macro audience__attributes(sync, mapping, columns) %}
    {% set attributes = dbt_batch_sync.listed_attributes(sync, mapping, columns) %}
    {% for attribute in attributes if attribute.type == 'boolean' and not attribute.membership %}
        {{ dbt_batch_sync.mapping_error(sync, "`" ~ attribute.name ~ "` is the boolean column `" ~ attribute.column ~ "`, and an audience has no booleans: give it `type: string`, or cast it in the model") }}
    {% endfor %}
    {{ return(attributes) }}
{% endmacro %}

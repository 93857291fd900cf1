{#- Catalogs: each row of the model is an item with all its fields. Rows that leave are removed, or stay with `on_exit: ignore`. -#}

{% macro catalog__read_mapping(sync, raw) %}
    {{ return({
        'key': 'item_id',
        'on_exit': 'flag' if (raw.get('on_exit') or 'remove') == 'remove' else 'ignore',
        'listed': raw.get('fields') or []
    }) }}
{% endmacro %}


{% macro catalog__attributes(sync, mapping, columns) %}{{ return(dbt_batch_sync.listed_attributes(sync, mapping, columns)) }}{% endmacro %}


{#- The rules for item ids are not documented, so they are ours: those for a `custom_id`, but an item id may be a reserved word, because a
    product can be called `true`. -#}
{% macro catalog__row_problem(row, mapping, attributes) %}{{ return(dbt_batch_sync.identifier_problem(row, attributes[0], reserved=false)) }}{% endmacro %}

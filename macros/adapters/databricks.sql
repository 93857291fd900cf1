{#- Databricks, which is Spark (dbt looks there for what is not here) with catalogs. A table is one of Delta where nothing else is
    said. -#}
{% macro databricks__storage_problem(node) %}
    {{ return(dbt_batch_sync.spark__storage_problem(node) if node.config.get('file_format') else '') }}
{% endmacro %}


{#- With its catalog, which Spark has none of. -#}
{% macro databricks__existing_table(database, schema, identifier) %}
    {% set table = api.Relation.create(database=database, schema=schema, identifier=identifier, type='table') %}
    {{ return(table if adapter.get_columns_in_relation(table) else none) }}
{% endmacro %}

{% macro databricks__columns_of(relation) %}
    {{ return(adapter.get_columns_in_relation(
        api.Relation.create(database=relation.database, schema=relation.schema, identifier=relation.identifier, type=relation.type)
    )) }}
{% endmacro %}


{#- Its adapter leaves a name with a backtick unquoted. -#}
{% macro databricks__column(name) %}{{ return('`' ~ (name | replace('`', '``')) ~ '`') }}{% endmacro %}


{#- Under a collation, texts that differ in case may be equal: they are compared by their bytes, whatever the column's is. -#}
{% macro databricks__value_of(column, kind) %}
    {% if kind.type == 'string' and ' collate ' in column.dtype | lower %}
        {{ return('cast(' ~ dbt_batch_sync.column(column.name) ~ ' collate utf8_binary as string)') }}
    {% endif %}
    {{ return(dbt_batch_sync.spark__value_of(column, kind)) }}
{% endmacro %}


{#- A merge reads the files that hold its keys. -#}
{% macro databricks__snapshot_defaults(key) %}{{ return({'liquid_clustered_by': key}) }}{% endmacro %}

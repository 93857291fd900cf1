{#- Databricks is Spark with catalogs; dbt falls back to Spark's macros for what is not here. Tables are Delta unless configured otherwise.
    -#}
{% macro databricks__storage_problem(node) %}
    {% if (node.config.get('file_format') or 'delta') == 'delta' %}{{ return('') }}{% endif %}
    {{ return(
        "`" ~ node.name ~ "` has the file_format " ~ node.config.get('file_format')
        ~ ". Accepted: delta, the default; for Iceberg, set `+table_format: iceberg` instead"
    ) }}
{% endmacro %}


{#- Includes the catalog, which Spark doesn't have. -#}
{% macro databricks__existing_table(database, schema, identifier) %}
    {% set table = api.Relation.create(database=database, schema=schema, identifier=identifier, type='table') %}
    {{ return(table if adapter.get_columns_in_relation(table) else none) }}
{% endmacro %}

{% macro databricks__columns_of(relation) %}
    {{ return(adapter.get_columns_in_relation(
        api.Relation.create(database=relation.database, schema=relation.schema, identifier=relation.identifier, type=relation.type)
    )) }}
{% endmacro %}


{#- The adapter doesn't quote a name that contains a backtick. -#}
{% macro databricks__column(name) %}{{ return('`' ~ (name | replace('`', '``')) ~ '`') }}{% endmacro %}


{#- Compares bytes, because under a collation, texts that differ in case may be equal. -#}
{% macro databricks__value_of(column, kind) %}
    {% if kind.type == 'string' and ' collate ' in column.dtype | lower %}
        {{ return('cast(' ~ dbt_batch_sync.column(column.name) ~ ' collate utf8_binary as string)') }}
    {% endif %}
    {{ return(dbt_batch_sync.spark__value_of(column, kind)) }}
{% endmacro %}


{% macro databricks__identifier_expression(identifier) %}
    {{ return(dbt_batch_sync.value_of(api.Column.create(identifier.column, identifier.column_type), {'type': 'string', 'dtype': 'string'})) }}
{% endmacro %}


{#- A merge reads only the files that contain its keys. A partitioned or automatically clustered table can't have clustering keys too. -#}
{% macro databricks__snapshot_defaults(key) %}
    {{ return({} if model.config.get('partition_by') or model.config.get('auto_liquid_cluster') else {'liquid_clustered_by': key}) }}
{% endmacro %}

{% macro databricks__default_collation(relation) %}{{ return(dbt_batch_sync.reported_collation(relation)) }}{% endmacro %}

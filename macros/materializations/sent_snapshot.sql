{#- Creates the table if it is missing, and only adds columns afterwards. Unlike dbt's incremental, it creates no temporary table and never
    refills, not even with `--full-refresh`. A wider type widens the column and sends nothing; another type puts everyone who has a value in
    doubt. -#}
{% materialization sent_snapshot, default %}
    {% set existing = dbt_batch_sync.existing_table(this.database, this.schema, this.identifier) or load_cached_relation(this) %}
    {% set target_relation = this.incorporate(type='table') %}
    {% set tag = dbt_batch_sync.set_tag() %}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if existing is none %}
        {#- Never `or replace`: if the table exists after all, this must fail. -#}
        {% call statement('main') %}
            {{ dbt_batch_sync.create_snapshot_sql(target_relation, sql) | replace('create or replace', 'create', 1) }}
        {% endcall %}
        {% do dbt_batch_sync.check_collation(target_relation) %}
        {% do create_indexes(target_relation) %}
        {% do dbt_batch_sync.keep_for_ever(target_relation) %}
    {% elif existing.type is not none and existing.type != 'table' %}
        {{ exceptions.raise_compiler_error(existing ~ " is a " ~ existing.type ~ ", and Batch's state is kept in a table. Rename or drop it.") }}
    {% else %}
        {% call statement('main') %}
            select 1 as snapshot_kept
        {% endcall %}
        {% do dbt_batch_sync.evolve_snapshot(target_relation, model) %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do apply_grants(target_relation, config.get('grants'), should_revoke(existing, full_refresh_mode=False)) %}
    {% do persist_docs(target_relation, model) %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {% do dbt_batch_sync.unset_tag(tag) %}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

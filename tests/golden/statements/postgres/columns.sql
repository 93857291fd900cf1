with recursive column_types as (
            select a.attnum, a.attname, a.atttypid as type_id, a.atttypmod as modifier
            from pg_catalog.pg_attribute as a
            inner join pg_catalog.pg_class as c on c.oid = a.attrelid
            inner join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
            where n.nspname = 'marts'
                and c.relname = 'people'
                and a.attnum > 0
                and not a.attisdropped
            union all
            select column_types.attnum, column_types.attname, t.typbasetype, t.typtypmod
            from column_types
            inner join pg_catalog.pg_type as t on t.oid = column_types.type_id
            where t.typtype = 'd'
        )
        select
            column_types.attname as column_name,
            case
                when t.typtype = 'e' then 'enum'
                when item.typtype = 'e' then 'enum[]'
                when t.typname = 'citext' then 'citext'
                when item.typname = 'citext' then 'citext[]'
                else pg_catalog.format_type(column_types.type_id, column_types.modifier)
            end as data_type
        from column_types
        inner join pg_catalog.pg_type as t on t.oid = column_types.type_id
        left join pg_catalog.pg_type as item on item.oid = t.typelem and t.typcategory = 'A'
        where t.typtype <> 'd'
        order by column_types.attnum;
-- as on DuckDB (6 lines)
        cast("huge" as numeric) as "huge",
        cast("decimal" as numeric(18,4)) as "decimal",
-- as on DuckDB (12 lines)

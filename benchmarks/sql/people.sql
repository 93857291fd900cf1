-- $rows realistic customers, the same in every run, not ordered by key. In some columns up to a third of the values are null.
create schema if not exists raw;

create or replace table raw.people as
with numbers as (
    select
        (i * 7919 + 13) % $rows as n,
        (i * 2654435761 + 97) % 4294967291 as a,
        (i * 2246822519 + 31) % 4294967279 as b
    from range($rows) as t(i)
),

words as (
    select
        n, a, b,
        ['Camille', 'Léa', 'Mathéo', 'Noël', 'Anaïs', 'Jules', 'Zoë', 'Hugo', 'Inès', 'Søren', 'Jürgen', 'Chloé', 'Aïcha', 'Tom'][1 + a % 14] as first_name,
        ['Martin', 'Durand', 'O''Neil', 'Lefèvre', 'Nguyen', 'García', 'Schäfer', 'Petit', 'Moreau', 'Rossi', 'Kowalski'][1 + b % 11] as last_name,
        ['Paris', 'Lyon', 'Saint-Étienne', 'Marseille', 'København', 'München', 'Nice', 'L''Haÿ-les-Roses', 'Bordeaux', 'Aix "en" Provence'][1 + a // 7 % 10] as city
    from numbers
)

select
    'C' || lpad(n::varchar, 9, '0') as customer_id,
    case when a % 50 <> 0 then 'customer.' || n || '@' || ['example.com', 'mail.example.org', 'example.net'][1 + b % 3] end as email,
    a % 3 <> 0 as email_optin,
    case when b % 4 <> 0 then '+336' || lpad((a % 100000000)::varchar, 8, '0') end as phone,
    ['fr', 'fr', 'fr', 'en', 'de', 'es'][1 + b % 6] as language,
    ['FR', 'FR', 'FR', 'GB', 'DE', 'ES'][1 + b % 6] as country,
    ['Europe/Paris', 'Europe/Paris', 'Europe/Paris', 'Europe/London', 'Europe/Berlin', 'Europe/Madrid'][1 + b % 6] as timezone,
    first_name || ' ' || chr(65 + (a % 26)::integer) || '. ' || last_name as full_name,
    city,
    case when a % 10 <> 0 then date '1940-01-01' + (b % 25000)::integer end as birthdate,
    case when b % 5 <> 0 then timestamp '2021-01-01' + to_seconds(a % 150000000) end as last_order_at,
    (b % 60)::bigint as order_count,
    ((a % 900000) / 100)::decimal(18, 2) as lifetime_value,
    b % 20 = 0 as is_vip,
    case when a % 3 <> 0 then list_distinct([['running', 'bikes', 'tea', 'books', 'music'][1 + a % 5], ['cinema', 'garden', 'bikes', 'travel'][1 + b % 4]]) end as interests,
    case when b % 2 <> 0 then 'https://www.example.com/u/' || n || '?from=' || language end as website
from words;

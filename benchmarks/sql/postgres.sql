-- `raw.people` with the columns of people.sql, to be filled by COPY.
create schema if not exists raw;

create table if not exists raw.people (
    customer_id text, email text, email_optin boolean, phone text, language text, country text, timezone text, full_name text,
    city text, birthdate date, last_order_at timestamp, order_count bigint, lifetime_value numeric(18, 2), is_vip boolean,
    interests text[], website text
);

truncate raw.people;

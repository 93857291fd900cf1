{#- Values that Batch or every mail server rejects: an address needs words with single dots between them, without quotes, and a domain of
    valid labels. -#}
{% test batch_email(model, column_name) %}
    {%- set blank = dbt_batch_sync.blank_characters() %}
    {%- set word = '[^@"(),.:;<>' ~ blank ~ dbt_batch_sync.invisible_characters() ~ ']+' %}
    {%- set label = '[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?' %}
    {%- set possible = word ~ '([.]' ~ word ~ ')*@(' ~ label ~ '[.])+[A-Za-z0-9]{0,62}[A-Za-z]' %}
    {#- Each engine escapes brackets and backslashes differently within brackets. -#}
    {%- set special %}{% for code in (91, 92, 93) %}{{ dbt.position('chr(' ~ code ~ ')', 'value') }} > 0{{ ' or ' if not loop.last }}{% endfor %}{% endset %}
    {%- set problem -%}
    case
        when length(value) > 128 then 'too_long'
        when not {{ dbt_batch_sync.full_match('value', '[^@' ~ blank ~ ']+@[A-Za-z0-9.-]+[.][A-Za-z0-9]+') }} then 'invalid_email'
        when {{ special }} or not {{ dbt_batch_sync.full_match('value', possible) }} then 'impossible_email'
    end
    {%- endset %}
    {{- dbt_batch_sync.rejected_values(model, column_name, problem) }}
{% endtest %}

-- as on DuckDB (4 lines)
        when not regexp_contains(value, r'^(?:[^@\s\pZ\x00-\x1f\x7f-\x9f\x{feff}]+@[A-Za-z0-9.-]+[.][A-Za-z0-9]+)$') then 'invalid_email'
        when strpos(value, chr(91)) > 0 or strpos(value, chr(92)) > 0 or strpos(value, chr(93)) > 0 or not regexp_contains(value, r'^(?:[^@"(),.:;<>\s\pZ\x00-\x1f\x7f-\x9f\x{feff}\x{ad}\x{180e}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}]+([.][^@"(),.:;<>\s\pZ\x00-\x1f\x7f-\x9f\x{feff}\x{ad}\x{180e}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}]+)*@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?[.])+[A-Za-z0-9]{0,62}[A-Za-z])$') then 'impossible_email'
-- as on DuckDB (1 lines)
        from (select collate(cast(nick as STRING), '') as value from `shop`.`marts`.`people`) as texts
-- as on DuckDB (4 lines)
    from (select collate(cast(nick as STRING), '') as value from `shop`.`marts`.`people`) as names
    where value is null or not regexp_contains(value, r'^(?:[a-z0-9_]{1,30})$');
-- as on DuckDB (8 lines)
        when trim(translate(identifiers.`custom_id`, chr(9) || chr(10) || chr(11) || chr(12) || chr(13), '     '), ' ') = '' then 'empty_identifier'
-- as on DuckDB (1 lines)
        when (strpos(identifiers.`custom_id`, chr(10)) > 0 or strpos(identifiers.`custom_id`, chr(13)) > 0) then 'line_break_identifier'
        when not regexp_contains(identifiers.`custom_id`, r'^(?:[^\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]*)$') then 'control_character_identifier'
        when lower(trim(identifiers.`custom_id`, ' ')) in ('undefined', 'null', 'nil', '(null)', '[object object]', 'true', 'false', 'nan', 'infinity', '-infinity') then 'reserved_identifier'
-- as on DuckDB (2 lines)
        from (select collate(cast(nick as STRING), '') as `custom_id` from `shop`.`marts`.`people`) as identifiers
-- as on DuckDB (5 lines)
        from (select collate(cast(nick as STRING), '') as value from `shop`.`marts`.`people`) as texts
-- as on DuckDB (6 lines)
        when not regexp_contains(value, r'^(?:[+][0-9]{1,15})$') then 'invalid_phone'
        when not regexp_contains(value, r'^(?:[+]((45|216|222|223|226|227|228|232|235|236|253|257|266|350|356|357|370|371|373|374|389|505|509|800|808|973|993)([0-9]{8,8})|(33|34|93|94|211|212|218|221|240|242|244|249|251|255|256|260|261|262|351|590|594|596|979|992|994|995|998)([0-9]{9,9})|(32|36|51|213|224|233|237|250|258|264|268|377|382|387|591|962|963)([0-9]{8,9})|(238|239|246|248|269|291|297|592|673|674|680|691|692)([0-9]{7,7})|(241|599|670|675|853|961|965|975)([0-9]{7,8})|(20|60|855|856|964|970|976)([0-9]{8,10})|(220|245|265|354|423)([0-9]{7,7}|[0-9]{9,9})|(1|52|58|225|229)([0-9]{10,10})|(298|299|672|687)([0-9]{6,6})|(231|385|967|968)([0-9]{7,9})|(84|243|254|353)([0-9]{7,10})|(380|881|966|996)([0-9]{9,10})|(676|677|678)([0-9]{5,5}|[0-9]{7,7})|(48|95|880)([0-9]{6,10})|(40|508|681)([0-9]{6,6}|[0-9]{9,9})|(86|882|972)([0-9]{7,12})|(230|267|372)([0-9]{7,8}|[0-9]{10,10})|(92|383|883)([0-9]{8,12})|(378|506|850)([0-9]{8,8}|[0-9]{10,10})|(57|65|977)([0-9]{8,8}|[0-9]{10,11})|(43|49)([0-9]{4,13})|(500|682)([0-9]{5,5})|(27|64)([0-9]{5,10})|(358|971)([0-9]{5,12})|(47|686)([0-9]{5,5}|[0-9]{8,8})|(252|355)([0-9]{6,9})|(375|595)([0-9]{6,11})|(39|381)([0-9]{6,12})|(376|689)([0-9]{6,6}|[0-9]{8,9})|(44|263)([0-9]{7,7}|[0-9]{9,10})|(501|679)([0-9]{7,7}|[0-9]{11,11})|(55|593)([0-9]{8,11})|(81|91)([0-9]{8,13})|(502|504)([0-9]{8,8}|[0-9]{11,11})|(41|870)([0-9]{9,9}|[0-9]{12,12})|(30|234)([0-9]{10,12})|(290)([0-9]{4,5})|(690)([0-9]{4,7})|(352)([0-9]{4,11})|(598)([0-9]{4,12})|(98)([0-9]{4,7}|[0-9]{10,10})|(683)([0-9]{4,4}|[0-9]{7,7})|(247)([0-9]{5,6})|(688)([0-9]{5,7})|(386)([0-9]{5,8})|(31)([0-9]{5,11})|(61)([0-9]{5,10}|[0-9]{12,12})|(852)([0-9]{5,9}|[0-9]{11,11})|(685)([0-9]{5,7}|[0-9]{10,10})|(82)([0-9]{5,6}|[0-9]{8,13})|(597)([0-9]{6,7})|(46)([0-9]{6,10}|[0-9]{12,12})|(359)([0-9]{6,9}|[0-9]{12,12})|(53)([0-9]{6,8}|[0-9]{10,10})|(421)([0-9]{6,7}|[0-9]{9,9})|(63)([0-9]{6,6}|[0-9]{8,13})|(886)([0-9]{7,11})|(62)([0-9]{7,13})|(974)([0-9]{7,9}|[0-9]{11,11})|(507)([0-9]{7,8}|[0-9]{10,11})|(503)([0-9]{7,8}|[0-9]{11,11})|(960)([0-9]{7,7}|[0-9]{10,10})|(90)([0-9]{7,7}|[0-9]{10,10}|[0-9]{12,13})|(66)([0-9]{8,10}|[0-9]{13,13})|(56)([0-9]{9,11})|(420)([0-9]{9,12})|(54)([0-9]{10,11})|(7)([0-9]{10,10}|[0-9]{14,14})|(888)([0-9]{11,11})|(878)([0-9]{12,12})))$') then 'impossible_phone'
-- as on DuckDB (1 lines)
        from (select collate(cast(nick as STRING), '') as value from `shop`.`marts`.`people`) as texts
-- as on DuckDB (6 lines)
        from (select collate(cast(nick as STRING), '') as value from `shop`.`marts`.`people`) as texts
-- as on DuckDB (6 lines)
        from (select collate(cast(nick as STRING), '') as value from `shop`.`marts`.`people`) as texts
-- as on DuckDB (6 lines)
        from (select collate(cast(nick as STRING), '') as value from `shop`.`marts`.`people`) as texts
-- as on DuckDB (12 lines)
        from (select collate(cast(nick as STRING), '') as `event_id`, collate(cast(optin as STRING), '') as profile from `shop`.`marts`.`people`) as events
-- as on DuckDB (2 lines)

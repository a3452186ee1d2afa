-- Ends a statement that was to take rooms in so many nights and found fewer on sale: then nothing of it is done.
create function require_on_sale(wanted bigint, taken bigint) returns boolean
    language plpgsql immutable
    as
$$
begin
    if wanted is distinct from taken then
        raise exception '% of % nights are on sale', taken, wanted
            using errcode = 'check_violation', constraint = 'room_type_inventory_on_sale', table = 'room_type_inventory';
    end if;
    return true;
end
$$;

-- The share of a night that may be held unpaid is one of the rooms that can be used: with eight of ten rooms out of order, half of
-- ten were all that could be sold.
create or replace function admit_reservations(wanted bigint, taken bigint, keys text[], added bigint[], limits bigint[],
    hotels integer[], room_types integer[], days integer[], held integer[], share integer) returns boolean
    language plpgsql volatile
    as
$$
declare
    first_date date;
    last_date date;
begin
    perform require_on_sale(wanted, taken);
    if cardinality(keys) > 0 then
        perform lock_holders(keys);
        if exists (
            select from unnest(keys, added, limits) w (key, added, most)
            left join (select h.key, sum(h.room_nights) as held from unpaid_holds(keys) h group by h.key) h using (key)
            where w.added + coalesce(h.held, 0) > w.most
        ) then
            raise exception 'too many room nights are held unpaid'
                using errcode = 'check_violation', constraint = 'reservation_unpaid_room_nights', table = 'reservation';
        end if;
    end if;
    if share > 0 then
        select date '1970-01-01' + min(d), date '1970-01-01' + max(d) into first_date, last_date from unnest(days) d;
        -- What is held unpaid is part of what is reserved: while that is within the share, nothing needs to be counted.
        if exists (
            with crowded as materialized (
                select i.hotel_id, i.room_type_id, n.day, n.held,
                    unpaid_share(greatest(i.total_inventory - i.out_of_order, 0), share) as most
                from unnest(hotels, room_types, days, held) n (hotel_id, room_type_id, day, held)
                join room_type_inventory i on i.hotel_id = n.hotel_id and i.room_type_id = n.room_type_id
                    and i.stay_date = date '1970-01-01' + n.day and i.stay_date between first_date and last_date
                where n.held > 0
                    and i.total_reserved > unpaid_share(greatest(i.total_inventory - i.out_of_order, 0), share)
            ), sums as materialized (
                select array_agg(hotel_id) as hotels, array_agg(room_type_id) as room_types, array_agg(day) as days
                from crowded
            )
            select from crowded c
            join (select u.* from sums, unpaid_rooms(sums.hotels, sums.room_types, sums.days) u) u
                using (hotel_id, room_type_id, day)
            where u.rooms + c.held > c.most
        ) then
            raise exception 'too large a share of a night is held unpaid'
                using errcode = 'check_violation', constraint = 'reservation_unpaid_share', table = 'reservation';
        end if;
    end if;
    return true;
end
$$;

-- Nights that the release before puts on sale are closed and blocked as well: it knows neither. Nights are inserted by staff and by
-- the daily job, never by a booking.
create function close_and_block_new_night() returns trigger
    language plpgsql as
$$
begin
    new.stop_sell := exists (
        select from stop_sell_ahead a
        where a.hotel_id = new.hotel_id and a.room_type_id = new.room_type_id and a.stay_date = new.stay_date
    );
    new.out_of_order := rooms_out_of_order(new.hotel_id, new.room_type_id, new.stay_date);
    return new;
end
$$;
create trigger room_type_inventory_new_night before insert on room_type_inventory
    for each row when (not new.stop_sell and new.out_of_order = 0) execute function close_and_block_new_night();

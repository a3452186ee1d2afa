-- Limits of unpaid holds, in room nights: by account, by source address, and by the share of a night that is held unpaid.
--
-- The holds themselves are the count: no counter can drift, and a release of before counts along without knowing.

-- The source address of the booking: an IPv4 address or the first 64 bits of an IPv6 address. Only while the hold is
-- unpaid, then it is removed.
alter table reservation add column source text;
alter table reservation add constraint reservation_source_is_short check (char_length(source) between 1 and 50) not valid;

create index reservation_unpaid_owner_idx on reservation (owner) where status = 'pending_payment';
create index reservation_unpaid_source_idx on reservation (source)
    where status = 'pending_payment' and source is not null;

-- The unexpired holds of holders. A key is 'a' and the account, or 's' and the source.
create function unpaid_holds(keys text[])
    returns table (key text, hold_expire_time timestamptz, room_nights bigint)
    language sql stable
    as
$$
    select k, r.hold_expire_time, r.rooms * (r.check_out - r.check_in)::bigint
    from unnest(keys) k
    join reservation r on r.owner = substr(k, 2)
    where left(k, 1) = 'a' and r.status = 'pending_payment' and r.hold_expire_time > now()
    union all
    select k, r.hold_expire_time, r.rooms * (r.check_out - r.check_in)::bigint
    from unnest(keys) k
    join reservation r on r.source = substr(k, 2)
    where left(k, 1) = 's' and r.status = 'pending_payment' and r.hold_expire_time > now()
$$;

-- The rooms of nights in unexpired holds. Days count from 1970-01-01. One scan of the holds of each room type, for any
-- number of nights.
create function unpaid_rooms(hotels integer[], room_types integer[], days integer[])
    returns table (hotel_id integer, room_type_id integer, day integer, rooms bigint)
    language sql stable
    as
$$
    with night as materialized (
        select * from unnest(hotels, room_types, days) n (hotel_id, room_type_id, day)
    ), held as materialized (
        select t.hotel_id, t.room_type_id, r.check_in - date '1970-01-01' as first, r.check_out - date '1970-01-01' as last,
            sum(r.rooms) as rooms
        from (select distinct hotel_id, room_type_id from night) t
        join reservation r on r.hotel_id = t.hotel_id and r.room_type_id = t.room_type_id
            and r.status = 'pending_payment' and r.hold_expire_time > now()
        group by 1, 2, 3, 4
    )
    select n.hotel_id, n.room_type_id, n.day, coalesce(sum(h.rooms), 0)::bigint
    from night n
    left join held h on h.hotel_id = n.hotel_id and h.room_type_id = n.room_type_id and h.first <= n.day and h.last > n.day
    group by 1, 2, 3
$$;

-- The most rooms of a night that may be held unpaid: a share of the rooms on sale in per cent, rounded up, at least one.
create function unpaid_share(total_inventory integer, share integer) returns integer
    language sql immutable
    return greatest(1, (total_inventory * share + 99) / 100);

-- Locks holders until the transaction ends, always in one order. Bookings of one account or from one source wait for each
-- other, so that each counts what the other holds.
create function lock_holders(keys text[]) returns void
    language sql volatile
    as
$$
    select pg_advisory_xact_lock(hashtextextended(k, 0)) from (select k from unnest(keys) k order by k collate "C") s
$$;

-- Admits the bookings of a statement that has taken its rooms, or ends it. Each query here sees what was committed before
-- it began, after the locks were granted.
--
-- keys, added, limits: the holders, the room nights that the bookings add, the most that they may hold.
-- hotels, room_types, days, held: the nights, and the rooms that the bookings add to the unpaid ones; share: in per cent, 0
-- is no limit.
create function admit_reservations(wanted bigint, taken bigint, keys text[], added bigint[], limits bigint[],
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
                select i.hotel_id, i.room_type_id, n.day, n.held, unpaid_share(i.total_inventory, share) as most
                from unnest(hotels, room_types, days, held) n (hotel_id, room_type_id, day, held)
                join room_type_inventory i on i.hotel_id = n.hotel_id and i.room_type_id = n.room_type_id
                    and i.stay_date = date '1970-01-01' + n.day and i.stay_date between first_date and last_date
                where n.held > 0 and i.total_reserved > unpaid_share(i.total_inventory, share)
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

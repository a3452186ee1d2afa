-- The rooms of nights in unexpired holds, as before. The dates of a reservation are from the first check-in of its rooms to the
-- last check-out: rooms are looked up only for holds whose dates contain one of the nights. With 10,000 holds in a hotel,
-- looking up the rooms of all took 68 ms, while the nights are locked.
create or replace function unpaid_rooms(hotels integer[], room_types integer[], days integer[])
    returns table (hotel_id integer, room_type_id integer, day integer, rooms bigint)
    language sql stable
    as
$$
    with night as materialized (
        select * from unnest(hotels, room_types, days) n (hotel_id, room_type_id, day)
    ), hold as materialized (
        select h.*
        from (select n.hotel_id, date '1970-01-01' + min(n.day) as first, date '1970-01-01' + max(n.day) as last
            from night n group by 1) t
        -- By hotel, whatever the planner expects of the number of holds; so are their rooms by key.
        cross join lateral (
            select r.hotel_id, r.reservation_id, r.revision, r.room_type_id, r.check_in, r.check_out, r.rooms
            from reservation r
            where r.hotel_id = t.hotel_id and r.status = 'pending_payment' and r.hold_expire_time > now()
                and r.check_in <= t.last and r.check_out > t.first
            offset 0
        ) h
    ), line as (
        select l.hotel_id, l.room_type_id, l.check_in, l.check_out, 1 as rooms
        from hold
        cross join lateral (
            select * from reservation_room room
            where room.hotel_id = hold.hotel_id and room.reservation_id = hold.reservation_id and room.status = 'live'
            offset 0
        ) l
        union all
        select hold.hotel_id, hold.room_type_id, hold.check_in, hold.check_out, hold.rooms
        from hold where hold.revision is null
    ), held as materialized (
        select line.hotel_id, line.room_type_id, line.check_in - date '1970-01-01' as first,
            line.check_out - date '1970-01-01' as last, sum(line.rooms) as rooms
        from line group by 1, 2, 3, 4
    )
    select n.hotel_id, n.room_type_id, n.day, coalesce(sum(h.rooms), 0)::bigint
    from night n
    left join held h on h.hotel_id = n.hotel_id and h.room_type_id = n.room_type_id and h.first <= n.day and h.last > n.day
    group by 1, 2, 3
$$;

-- Limits of unpaid holds count what changes hold that are not paid yet.
--
-- The table of changes is new with this release, so that indexes on it need no time.

-- The account of the reservation.
alter table reservation_change add column owner text;
-- Where the request came from, while the change is pending: personal data. Null if that is not limited.
alter table reservation_change add column source text;
alter table reservation_change add constraint reservation_change_source_is_short check (char_length(source) between 1 and 50);
alter table reservation_change add constraint reservation_change_source_only_while_pending check (
    source is null or status = 'pending'
);
create index reservation_change_owner_idx on reservation_change (owner) where status = 'pending';
create index reservation_change_source_idx on reservation_change (source) where status = 'pending' and source is not null;

-- Whichever release inserts the change.
create function set_owner_of_change() returns trigger
    language plpgsql as
$$
begin
    select r.owner into new.owner from reservation r
    where r.hotel_id = new.hotel_id and r.reservation_id = new.reservation_id;
    return new;
end
$$;
create trigger reservation_change_owner before insert on reservation_change
    for each row execute function set_owner_of_change();

create or replace function refuse_illegal_change() returns trigger
    language plpgsql as
$$
begin
    if tg_op = 'UPDATE' and old.status = 'pending' and new.status in ('applied', 'dropped')
        and (old.hotel_id, old.reservation_id, old.revision, old.document, old.balance_minor, old.penalty_minor, old.held)
        is not distinct from
            (new.hotel_id, new.reservation_id, new.revision, new.document, new.balance_minor, new.penalty_minor, new.held)
    then
        new.update_time := now();
        new.source := null;
        return new;
    end if;
    raise exception 'a change is applied or dropped once, and never altered'
        using errcode = 'check_violation', constraint = 'reservation_change_is_final', table = 'reservation_change';
end
$$;

-- The room nights that a change holds: the sum over its nights, [room type, day, rooms].
create function room_nights_held(held jsonb) returns bigint
    language sql immutable
    as
$$
    select coalesce(sum((night ->> 2)::bigint), 0)::bigint from jsonb_array_elements(held) night
$$;

create or replace function unpaid_holds(keys text[])
    returns table (key text, hold_expire_time timestamptz, room_nights bigint)
    language sql stable
    as
$$
    with held as (
        select k, r.hotel_id, r.reservation_id, r.hold_expire_time, r.rooms, r.check_in, r.check_out
        from unnest(keys) k
        join reservation r on r.owner = substr(k, 2)
        where left(k, 1) = 'a' and r.status = 'pending_payment' and r.hold_expire_time > now()
        union all
        select k, r.hotel_id, r.reservation_id, r.hold_expire_time, r.rooms, r.check_in, r.check_out
        from unnest(keys) k
        join reservation r on r.source = substr(k, 2)
        where left(k, 1) = 's' and r.status = 'pending_payment' and r.hold_expire_time > now()
    )
    select h.k, h.hold_expire_time, coalesce((
            select sum(l.check_out - l.check_in) from reservation_room l
            where l.hotel_id = h.hotel_id and l.reservation_id = h.reservation_id and l.status = 'live'
        ), h.rooms * (h.check_out - h.check_in))::bigint
    from held h
    union all
    select k, c.expire_time, room_nights_held(c.held)
    from unnest(keys) k
    join reservation_change c on c.owner = substr(k, 2)
    where left(k, 1) = 'a' and c.status = 'pending' and c.expire_time > now()
    union all
    select k, c.expire_time, room_nights_held(c.held)
    from unnest(keys) k
    join reservation_change c on c.source = substr(k, 2)
    where left(k, 1) = 's' and c.status = 'pending' and c.expire_time > now()
$$;

create or replace function unpaid_rooms(hotels integer[], room_types integer[], days integer[])
    returns table (hotel_id integer, room_type_id integer, day integer, rooms bigint)
    language sql stable
    as
$$
    with night as materialized (
        select * from unnest(hotels, room_types, days) n (hotel_id, room_type_id, day)
    ), hotel as materialized (
        select n.hotel_id, date '1970-01-01' + min(n.day) as first, date '1970-01-01' + max(n.day) as last
        from night n group by 1
    ), hold as materialized (
        select h.*
        from hotel t
        -- By hotel, whatever the planner expects of the number of holds; so are their rooms by key.
        cross join lateral (
            select r.hotel_id, r.reservation_id, r.revision, r.room_type_id, r.check_in, r.check_out, r.rooms
            from reservation r
            where r.hotel_id = t.hotel_id and r.status = 'pending_payment' and r.hold_expire_time > now()
                and r.check_in <= t.last and r.check_out > t.first
            offset 0
        ) h
    ), line as (
        select l.hotel_id, l.room_type_id, l.check_in - date '1970-01-01' as first,
            l.check_out - date '1970-01-01' as last, 1 as rooms
        from hold
        cross join lateral (
            select room.hotel_id, room.room_type_id, room.check_in, room.check_out from reservation_room room
            where room.hotel_id = hold.hotel_id and room.reservation_id = hold.reservation_id and room.status = 'live'
            offset 0
        ) l
        union all
        select hold.hotel_id, hold.room_type_id, hold.check_in - date '1970-01-01', hold.check_out - date '1970-01-01',
            hold.rooms
        from hold where hold.revision is null
        union all
        select c.hotel_id, (n ->> 0)::integer, (n ->> 1)::integer, (n ->> 1)::integer + 1, (n ->> 2)::integer
        from hotel t
        cross join lateral (
            select change.hotel_id, change.held from reservation_change change
            where change.hotel_id = t.hotel_id and change.status = 'pending' and change.expire_time > now()
            offset 0
        ) c
        cross join lateral jsonb_array_elements(c.held) n
    ), held as materialized (
        select line.hotel_id, line.room_type_id, line.first, line.last, sum(line.rooms) as rooms
        from line group by 1, 2, 3, 4
    )
    select n.hotel_id, n.room_type_id, n.day, coalesce(sum(h.rooms), 0)::bigint
    from night n
    left join held h on h.hotel_id = n.hotel_id and h.room_type_id = n.room_type_id
        and h.first <= n.day and h.last > n.day
    group by 1, 2, 3
$$;

-- Lines of a reservation, one for each room, and its revisions.
--
-- A release before this one writes neither: the triggers at the end do it for its bookings, and follow the statuses
-- that either release writes. Bookings that exist are carried over by `staymesh migrate` after its migrations, in
-- batches.
--
-- Neither table has a foreign key to the reservation: reservations are never deleted, lines are written by the
-- statement that writes theirs, and two keys cost 26 µs of the 57 µs that a booking took. `staymesh check` finds rows
-- without one.

-- The latest revision; null until the reservation has its lines.
alter table reservation add column revision integer;
alter table reservation add constraint reservation_revision_positive check (revision > 0) not valid;

create table reservation_room (
    hotel_id       integer    not null,
    reservation_id uuid       not null,
    -- The order in the booking, from 1.
    room_position  smallint   not null,
    room_type_id   integer    not null,
    rate_plan      text       not null,
    check_in       date       not null,
    check_out      date       not null,
    adults         smallint   not null,
    -- In years on the day of check-in.
    child_ages     smallint[] not null,
    -- Who sleeps there; null for the guest of the reservation.
    guest_name     text,
    total_minor    bigint     not null,
    -- Nights, taxes and policy of this room as they were signed into the offer. No statement looks into it where it
    -- must be quick, and json takes less than half the time of jsonb to write.
    price          json       not null,
    -- A live line counts in total_reserved of its nights.
    status         text       not null,
    -- The revision that wrote its terms.
    revision       integer    not null,
    constraint reservation_room_pkey primary key (hotel_id, reservation_id, room_position),
    constraint reservation_room_position_in_bounds check (room_position between 1 and 50),
    constraint reservation_room_room_type_positive check (room_type_id > 0),
    constraint reservation_room_rate_plan_is_short check (char_length(rate_plan) between 1 and 50),
    constraint reservation_room_has_nights check (check_out > check_in and check_out - check_in <= 90),
    constraint reservation_room_adults_in_bounds check (adults between 1 and 200),
    constraint reservation_room_children_in_bounds check (
        cardinality(child_ages) <= 10 and 0 <= all (child_ages) and 17 >= all (child_ages)
    ),
    constraint reservation_room_guest_name_is_short check (char_length(guest_name) between 1 and 200),
    constraint reservation_room_total_not_negative check (total_minor >= 0),
    constraint reservation_room_status_known check (status in ('live', 'cancelled', 'no_show')),
    constraint reservation_room_revision_positive check (revision > 0)
);

-- What was agreed, each time it changed. Append-only, and without personal data, which must be erasable.
create table reservation_revision (
    hotel_id       integer     not null,
    reservation_id uuid        not null,
    revision       integer     not null,
    -- The payment mode, and of each room its terms and price.
    document       json        not null,
    -- SHA-256 of the request that made it: tells a repeat from another request.
    content_hash   bytea       not null,
    currency       text        not null,
    total_minor    bigint      not null,
    -- Subject of the caller who made it.
    actor          text        not null,
    -- Why: created, and later how it was changed.
    reason         text        not null,
    create_time    timestamptz not null default now(),
    constraint reservation_revision_pkey primary key (hotel_id, reservation_id, revision),
    constraint reservation_revision_number_positive check (revision > 0),
    constraint reservation_revision_content_hash_is_sha256 check (octet_length(content_hash) = 32),
    constraint reservation_revision_currency_is_a_code check (currency ~ '^[A-Z]{3}$'),
    constraint reservation_revision_total_not_negative check (total_minor >= 0),
    constraint reservation_revision_actor_is_short check (char_length(actor) between 1 and 100),
    constraint reservation_revision_reason_is_short check (char_length(reason) between 1 and 100)
);

-- The first revision is gapless by its key and the CHECK, so it costs no query.
create function refuse_revision_gap() returns trigger
    language plpgsql as
$$
begin
    if not exists (
        select from reservation_revision before
        where before.hotel_id = new.hotel_id and before.reservation_id = new.reservation_id
            and before.revision = new.revision - 1
    ) then
        raise exception 'a revision is missing'
            using errcode = 'check_violation', constraint = 'reservation_revision_is_gapless',
                table = 'reservation_revision';
    end if;
    return new;
end
$$;
create trigger reservation_revision_is_gapless before insert on reservation_revision
    for each row when (new.revision > 1) execute function refuse_revision_gap();

create function refuse_revision_change() returns trigger
    language plpgsql as
$$
begin
    raise exception 'revisions are never changed or deleted'
        using errcode = 'check_violation', constraint = 'reservation_revision_is_append_only',
            table = 'reservation_revision';
end
$$;
create trigger reservation_revision_is_append_only before update or delete on reservation_revision
    for each row execute function refuse_revision_change();

create function refuse_room_change() returns trigger
    language plpgsql as
$$
begin
    raise exception 'the terms of a room change with a revision, and a room is never deleted'
        using errcode = 'check_violation', constraint = 'reservation_room_terms_are_fixed', table = 'reservation_room';
end
$$;
create trigger reservation_room_terms_are_fixed before update on reservation_room
    for each row
    when (new.revision <= old.revision
        and (old.room_type_id, old.rate_plan, old.check_in, old.check_out, old.adults, old.child_ages, old.total_minor,
            old.price::text, old.revision)
        is distinct from
            (new.room_type_id, new.rate_plan, new.check_in, new.check_out, new.adults, new.child_ages, new.total_minor,
            new.price::text, new.revision))
    execute function refuse_room_change();
create trigger reservation_room_is_never_deleted before delete on reservation_room
    for each row execute function refuse_room_change();

-- The share of one of equal rooms in an amount, by the largest remainder: the first rooms get what is left over.
create function share_of_room(minor bigint, rooms integer, room integer) returns bigint
    language sql immutable
    return minor / rooms + (room <= minor % rooms)::integer;

-- The price of one of equal rooms whose price together is given. All shares add up to it.
create function price_of_room(price jsonb, rooms integer, room integer) returns jsonb
    language sql immutable
    as
$$
    with tax as (
        select t.ordinality, t.value as line, share_of_room((t.value ->> 'minor')::bigint, rooms, room) as minor
        from jsonb_array_elements(price -> 'taxes') with ordinality t
    ), subtotal as (
        select share_of_room((price ->> 'subtotal_minor')::bigint, rooms, room) as minor
    )
    select price || jsonb_build_object(
        'subtotal_minor', subtotal.minor,
        'taxes', coalesce((
            select jsonb_agg(line || jsonb_build_object('minor', minor) order by ordinality) from tax), '[]'),
        'total_minor', subtotal.minor + coalesce((select sum(minor) from tax), 0))
    from subtotal
$$;

-- The status of the lines of a reservation in this status.
create function status_of_rooms(status text, cancellation_reason text) returns text
    language sql immutable
    return case when status in ('pending_payment', 'paid') then 'live'
        when cancellation_reason is not distinct from 'no_show' then 'no_show' else 'cancelled' end;

-- Writes lines and first revision of reservations that have none and are locked: n rooms of one type are n lines, whose
-- prices add up to that of the booking; its guests are spread as evenly as possible, as adults.
create function write_first_revisions(hotels integer[], ids uuid[]) returns void
    language sql volatile
    as
$$
    insert into reservation_room (hotel_id, reservation_id, room_position, room_type_id, rate_plan, check_in, check_out,
        adults, child_ages, total_minor, price, status, revision)
    select r.hotel_id, r.reservation_id, n, r.room_type_id, 'STANDARD', r.check_in, r.check_out,
        greatest(r.guests / r.rooms + (n <= r.guests % r.rooms)::integer, 1), '{}', (p.price ->> 'total_minor')::bigint,
        p.price::json, status_of_rooms(r.status, r.cancellation_reason), 1
    from unnest(hotels, ids) wanted (hotel_id, reservation_id)
    join reservation r using (hotel_id, reservation_id)
    cross join generate_series(1, r.rooms) n
    cross join lateral (select price_of_room(r.price, r.rooms, n) as price) p;

    insert into reservation_revision (hotel_id, reservation_id, revision, document, content_hash, currency, total_minor,
        actor, reason, create_time)
    select r.hotel_id, r.reservation_id, 1, jsonb_build_object('payment_mode', r.payment_mode, 'rooms', (
            select jsonb_agg(jsonb_build_object('room_type_id', l.room_type_id, 'rate_plan', l.rate_plan,
                'check_in', l.check_in, 'check_out', l.check_out, 'adults', l.adults, 'child_ages', l.child_ages,
                'price', l.price) order by l.room_position)
            from reservation_room l where l.hotel_id = r.hotel_id and l.reservation_id = r.reservation_id
        ))::json, r.content_hash, r.currency, r.total_minor, r.owner, 'created', r.create_time
    from unnest(hotels, ids) wanted (hotel_id, reservation_id)
    join reservation r using (hotel_id, reservation_id);

    update reservation r set revision = 1
    from unnest(hotels, ids) wanted (hotel_id, reservation_id)
    where r.hotel_id = wanted.hotel_id and r.reservation_id = wanted.reservation_id
$$;

-- Carries over up to so many reservations that have no lines yet. Yields how many; 0 when all have them. Locks in key
-- order, as changes do.
create function carry_over_rooms(most integer) returns integer
    language plpgsql volatile
    as
$$
declare
    hotels integer[];
    ids    uuid[];
begin
    select array_agg(hotel_id order by hotel_id, reservation_id),
        array_agg(reservation_id order by hotel_id, reservation_id)
    into hotels, ids
    from (
        select hotel_id, reservation_id from reservation where revision is null
        order by hotel_id, reservation_id limit most for no key update
    ) r;
    if hotels is null then
        return 0;
    end if;
    perform write_first_revisions(hotels, ids);
    return cardinality(hotels);
end
$$;

-- Row triggers: they also work where the table is distributed by hotel.
create function write_rooms_of_release_before() returns trigger
    language plpgsql as
$$
begin
    perform write_first_revisions(array [new.hotel_id], array [new.reservation_id]);
    return null;
end
$$;
create trigger reservation_rooms_of_release_before after insert on reservation
    for each row when (new.revision is null) execute function write_rooms_of_release_before();

-- Lines end when their reservation ends, and live again when a late payment retakes the rooms.
create function set_status_of_rooms() returns trigger
    language plpgsql as
$$
begin
    update reservation_room l set status = status_of_rooms(new.status, new.cancellation_reason)
    where l.hotel_id = new.hotel_id and l.reservation_id = new.reservation_id;
    return null;
end
$$;
create trigger reservation_rooms_follow after update on reservation
    for each row
    when ((old.status in ('pending_payment', 'paid')) <> (new.status in ('pending_payment', 'paid')))
    execute function set_status_of_rooms();

-- Limits of unpaid holds count lines. Holds that are not carried over yet have the rooms of their reservation.
create or replace function unpaid_holds(keys text[])
    returns table (key text, hold_expire_time timestamptz, room_nights bigint)
    language sql stable
    as
$$
    with held as (
        select k, r.*
        from unnest(keys) k
        join reservation r on r.owner = substr(k, 2)
        where left(k, 1) = 'a' and r.status = 'pending_payment' and r.hold_expire_time > now()
        union all
        select k, r.*
        from unnest(keys) k
        join reservation r on r.source = substr(k, 2)
        where left(k, 1) = 's' and r.status = 'pending_payment' and r.hold_expire_time > now()
    )
    select h.k, h.hold_expire_time, coalesce((
            select sum(l.check_out - l.check_in) from reservation_room l
            where l.hotel_id = h.hotel_id and l.reservation_id = h.reservation_id and l.status = 'live'
        ), h.rooms * (h.check_out - h.check_in))::bigint
    from held h
$$;

-- The rooms of nights in unexpired holds. The dates of a reservation are from the first check-in of its rooms to the
-- last check-out: rooms are looked up only for holds whose dates contain one of the nights. With 10,000 holds in a
-- hotel, looking up the rooms of all took 68 ms, while the nights are locked.
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
    left join held h on h.hotel_id = n.hotel_id and h.room_type_id = n.room_type_id
        and h.first <= n.day and h.last > n.day
    group by 1, 2, 3
$$;

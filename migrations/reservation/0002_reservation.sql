-- Bookings. The database knows the states and the ways between them, and lets nobody take another.

create function reservation_hotel_id(id uuid) returns integer
    language sql immutable parallel safe
    return ('x' || right(id::text, 8))::bit(32)::integer;

create table reservation (
    hotel_id            integer     not null,
    reservation_id      uuid        not null,
    -- The caller who booked: the account's UUID, or 'client:' and the partner's client id.
    owner               text        not null,
    room_type_id        integer     not null,
    check_in            date        not null,
    check_out           date        not null,
    rooms               smallint    not null,
    guests              smallint    not null,
    guest_name          text        not null,
    guest_email         text        not null,
    payment_mode        text        not null,
    status              text        not null,
    cancellation_reason text,
    currency            text        not null,
    total_minor         bigint      not null,
    -- Nights, taxes and policy as they were signed into the offer.
    price               jsonb       not null,
    -- SHA-256 of what was asked for: tells a repeat from another request under the same id.
    content_hash        bytea       not null,
    hold_expire_time    timestamptz,
    payment_id          uuid,
    paid_at             timestamptz,
    refunded_minor      bigint,
    -- Counts the states it has been in.
    version             integer     not null default 1,
    create_time         timestamptz not null default now(),
    update_time         timestamptz not null default now(),
    constraint reservation_pkey primary key (hotel_id, reservation_id),
    -- The id names its hotel, so this key is as strict as one on reservation_id alone, and shards by hotel.
    constraint reservation_id_names_its_hotel check (
        hotel_id > 0 and hotel_id = reservation_hotel_id(reservation_id)
        and substr(reservation_id::text, 15, 1) = '8' and substr(reservation_id::text, 20, 1) in ('8', '9', 'a', 'b')
    ),
    constraint reservation_owner_is_short check (char_length(owner) between 1 and 100),
    constraint reservation_room_type_positive check (room_type_id > 0),
    constraint reservation_has_nights check (check_out > check_in and check_out - check_in <= 90),
    constraint reservation_rooms_in_bounds check (rooms between 1 and 50),
    constraint reservation_guests_in_bounds check (guests between 1 and 200),
    constraint reservation_guest_name_is_short check (char_length(guest_name) between 1 and 200),
    constraint reservation_guest_email_is_short check (char_length(guest_email) between 3 and 254),
    constraint reservation_payment_mode_known check (payment_mode in ('guest_pays', 'partner_collects')),
    constraint reservation_status_known check (
        status in ('pending_payment', 'paid', 'refunded', 'cancelled', 'rejected')
    ),
    constraint reservation_currency_is_a_code check (currency ~ '^[A-Z]{3}$'),
    constraint reservation_total_not_negative check (total_minor >= 0),
    constraint reservation_content_hash_is_sha256 check (octet_length(content_hash) = 32),
    constraint reservation_cancellation_has_a_reason check (
        (status in ('cancelled', 'refunded')) = (cancellation_reason is not null)
        and (cancellation_reason is null or cancellation_reason in ('requested', 'hold_expired'))
    ),
    -- A hold is visible, and ends.
    constraint reservation_hold_expires check (status <> 'pending_payment' or hold_expire_time is not null),
    -- Nothing unpaid is ever confirmed.
    constraint reservation_paid_has_a_payment check (
        status <> 'paid' or (payment_mode = 'partner_collects' or payment_id is not null) and paid_at is not null
    ),
    constraint reservation_refund_was_paid check (
        status <> 'refunded' or payment_id is not null and refunded_minor is not null
    ),
    constraint reservation_refund_in_bounds check (refunded_minor between 1 and total_minor)
);

-- The caller's history, newest first.
create index reservation_owner_idx on reservation (owner, reservation_id desc);
-- Holds that are to end, earliest first.
create index reservation_hold_idx on reservation (hold_expire_time) where status = 'pending_payment';

-- Every state a booking has been in.
create table reservation_transition (
    hotel_id       integer     not null,
    reservation_id uuid        not null,
    version        integer     not null,
    status         text        not null,
    at             timestamptz not null default now(),
    constraint reservation_transition_pkey primary key (hotel_id, reservation_id, version),
    constraint reservation_transition_reservation_fkey foreign key (hotel_id, reservation_id)
        references reservation (hotel_id, reservation_id)
);

create function refuse_illegal_reservation() returns trigger
    language plpgsql as
$$
begin
    if tg_op = 'INSERT' then
        if new.status = 'pending_payment' or (new.status = 'paid' and new.payment_mode = 'partner_collects') then
            return new;
        end if;
        raise exception 'a reservation cannot begin as %', new.status
            using errcode = 'check_violation', constraint = 'reservation_legal_transition', table = 'reservation';
    end if;
    if (old.reservation_id, old.owner, old.room_type_id, old.check_in, old.check_out, old.rooms, old.payment_mode,
        old.currency, old.total_minor, old.content_hash)
        is distinct from
       (new.reservation_id, new.owner, new.room_type_id, new.check_in, new.check_out, new.rooms, new.payment_mode,
        new.currency, new.total_minor, new.content_hash) then
        raise exception 'the terms of a reservation do not change'
            using errcode = 'check_violation', constraint = 'reservation_terms_are_fixed', table = 'reservation';
    end if;
    if old.status = new.status then
        return new;
    end if;
    if (old.status, new.status) in (
            ('pending_payment', 'paid'), ('pending_payment', 'rejected'), ('pending_payment', 'cancelled'),
            ('paid', 'cancelled'))
        or ((old.status, new.status) = ('cancelled', 'refunded') and new.payment_id is not null)
        -- Money that came after the hold had expired, while the rooms were still free.
        or ((old.status, new.status) = ('cancelled', 'paid') and old.cancellation_reason = 'hold_expired') then
        new.version := old.version + 1;
        new.update_time := now();
        return new;
    end if;
    raise exception 'a reservation cannot go from % to %', old.status, new.status
        using errcode = 'check_violation', constraint = 'reservation_legal_transition', table = 'reservation';
end
$$;

create trigger reservation_legal_transition before insert or update on reservation
    for each row execute function refuse_illegal_reservation();

create function refuse_reservation_delete() returns trigger
    language plpgsql as
$$
begin
    raise exception 'reservations are never deleted'
        using errcode = 'check_violation', constraint = 'reservation_is_never_deleted', table = 'reservation';
end
$$;

create trigger reservation_is_never_deleted before delete on reservation
    for each row execute function refuse_reservation_delete();

-- Once a statement, not once a row: a batch of bookings writes its history in one go.
create function record_new_reservations() returns trigger
    language plpgsql as
$$
begin
    insert into reservation_transition (hotel_id, reservation_id, version, status)
    select hotel_id, reservation_id, version, status from changed;
    return null;
end
$$;

create function record_reservation_transitions() returns trigger
    language plpgsql as
$$
begin
    insert into reservation_transition (hotel_id, reservation_id, version, status)
    select changed.hotel_id, changed.reservation_id, changed.version, changed.status
    from changed join before using (hotel_id, reservation_id)
    where changed.status <> before.status;
    return null;
end
$$;

create trigger reservation_history_insert after insert on reservation
    referencing new table as changed for each statement execute function record_new_reservations();
create trigger reservation_history_update after update on reservation
    referencing new table as changed old table as before for each statement
    execute function record_reservation_transitions();

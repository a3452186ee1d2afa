-- Changes of what was agreed: other dates, room types and parties, rooms added and dropped.
--
-- A change takes effect at once, or is pending while its price difference is unpaid: then it holds the nights that it adds,
-- and the reservation stays as it was. Each change has a revision number of its own, whether it is applied or dropped:
-- a payment for a change that was dropped can never pay for a later one.

-- What changes keep of dropped rooms and nights; null for nothing.
alter table reservation add column retained_minor bigint;
alter table reservation add constraint reservation_retained_not_negative check (retained_minor >= 0) not valid;
-- The revision that the pending change will make; null without one.
alter table reservation add column pending_revision integer;
alter table reservation add constraint reservation_pending_revision_is_next check (
    pending_revision is null or revision is not null and pending_revision = revision + 1
) not valid;

-- The revision that dropped the room from its reservation; null while it is part of it.
alter table reservation_room add column dropped_revision integer;
alter table reservation_room add constraint reservation_room_dropped_is_cancelled check (
    dropped_revision is null or dropped_revision > 1 and status = 'cancelled'
) not valid;

-- What changes kept of dropped rooms and nights, within total_minor; null for nothing.
alter table reservation_revision add column retained_minor bigint;
alter table reservation_revision add constraint reservation_revision_retained_in_bounds check (
    retained_minor between 0 and total_minor
) not valid;

-- What is refunded of a reservation that changed is refunded of all its payments together, which may be more than it cost
-- first.
alter table reservation drop constraint reservation_refund_in_bounds;
alter table reservation add constraint reservation_refund_in_bounds check (
    refunded_minor >= 1 and (revision > 1 or refunded_minor <= total_minor)
) not valid;

create table reservation_change (
    hotel_id       integer     not null,
    reservation_id uuid        not null,
    -- The revision that it made, or will make.
    revision       integer     not null,
    status         text        not null,
    -- The caller's idempotency key, and the SHA-256 of the request; the key is null for a cancellation of rooms, whose
    -- repeat changes nothing.
    request_id     uuid,
    content_hash   bytea       not null,
    -- Subject of the caller who made it.
    actor          text        not null,
    -- Why: changed, rooms_cancelled.
    reason         text        not null,
    currency       text        not null,
    -- What is to be paid for it; negative for what it gives back.
    balance_minor  bigint      not null,
    -- What it keeps of dropped rooms and nights.
    penalty_minor  bigint      not null,
    -- The rooms that stay, and those that change or are added, with terms and prices. No personal data.
    document       jsonb       not null,
    -- Rooms added to total_reserved while it is pending: [room type, days since 1970-01-01, rooms].
    held           jsonb       not null,
    -- When it is dropped unless it was paid; null if it was applied at once.
    expire_time    timestamptz,
    -- The payment of the difference; null without one.
    payment_id     uuid,
    create_time    timestamptz not null default now(),
    update_time    timestamptz not null default now(),
    constraint reservation_change_pkey primary key (hotel_id, reservation_id, revision),
    constraint reservation_change_revision_above_one check (revision > 1),
    constraint reservation_change_status_known check (status in ('pending', 'applied', 'dropped')),
    constraint reservation_change_content_hash_is_sha256 check (octet_length(content_hash) = 32),
    constraint reservation_change_actor_is_short check (char_length(actor) between 1 and 100),
    constraint reservation_change_reason_is_short check (char_length(reason) between 1 and 100),
    constraint reservation_change_currency_is_a_code check (currency ~ '^[A-Z]{3}$'),
    constraint reservation_change_penalty_not_negative check (penalty_minor >= 0),
    -- Only what is to be paid can wait, and it waits for a visible time.
    constraint reservation_change_pending_ends check (
        status <> 'pending' or balance_minor > 0 and expire_time is not null
    )
);
-- At most one at a time.
create unique index reservation_change_one_pending_key on reservation_change (hotel_id, reservation_id)
    where status = 'pending';
create unique index reservation_change_request_id_key on reservation_change (hotel_id, reservation_id, request_id)
    where request_id is not null;
-- Pending changes that are to end, earliest first.
create index reservation_change_expiry_idx on reservation_change (expire_time) where status = 'pending';

create function refuse_illegal_change() returns trigger
    language plpgsql as
$$
begin
    if tg_op = 'UPDATE' and old.status = 'pending' and new.status in ('applied', 'dropped')
        and (old.hotel_id, old.reservation_id, old.revision, old.document, old.balance_minor, old.penalty_minor, old.held)
        is not distinct from
            (new.hotel_id, new.reservation_id, new.revision, new.document, new.balance_minor, new.penalty_minor, new.held)
    then
        new.update_time := now();
        return new;
    end if;
    raise exception 'a change is applied or dropped once, and never altered'
        using errcode = 'check_violation', constraint = 'reservation_change_is_final', table = 'reservation_change';
end
$$;
create trigger reservation_change_is_final before update or delete on reservation_change
    for each row execute function refuse_illegal_change();

-- Rooms that a change dropped stay cancelled, whatever becomes of their reservation.
create or replace function set_status_of_rooms() returns trigger
    language plpgsql as
$$
begin
    update reservation_room l set status = status_of_rooms(new.status, new.cancellation_reason)
    where l.hotel_id = new.hotel_id and l.reservation_id = new.reservation_id and l.dropped_revision is null;
    return null;
end
$$;

-- A new revision may change rooms and dates. What was agreed first, total_minor, stays: it is what the first payment paid.
create or replace function refuse_illegal_reservation() returns trigger
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
    if (old.reservation_id, old.owner, old.currency, old.total_minor, old.content_hash)
        is distinct from
       (new.reservation_id, new.owner, new.currency, new.total_minor, new.content_hash)
        -- A partner who holds rooms may decide to collect while the reservation is unpaid.
        or old.payment_mode <> new.payment_mode and not (
            (old.payment_mode, new.payment_mode) = ('guest_pays', 'partner_collects')
            and old.status = 'pending_payment' and new.status = 'pending_payment'
        )
        or (new.revision > old.revision) is not true
        and (old.room_type_id, old.check_in, old.check_out, old.rooms) is distinct from
            (new.room_type_id, new.check_in, new.check_out, new.rooms)
    then
        raise exception 'the terms of a reservation change with a revision'
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

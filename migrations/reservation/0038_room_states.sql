-- Rooms whose guests have arrived, and rooms whose guests have departed. Both still count as sold.
alter table reservation_room drop constraint reservation_room_status_known;
alter table reservation_room add constraint reservation_room_status_known
    check (status in ('live', 'in_house', 'completed', 'cancelled', 'no_show')) not valid;

-- Whether a room of a reservation in this status counts in total_reserved of its nights.
create function holds_room(status text) returns boolean
    language sql immutable parallel safe
    return status in ('live', 'in_house', 'completed');

-- Guests who have arrived are neither cancelled nor absent, also for a release that does not know that they have.
create function refuse_room_status() returns trigger
    language plpgsql as
$$
begin
    raise exception 'a room cannot go from % to %', old.status, new.status
        using errcode = 'check_violation', constraint = 'reservation_room_legal_transition', table = 'reservation_room';
end
$$;
create trigger reservation_room_legal_transition before update on reservation_room
    for each row
    when (old.status <> new.status
        and (old.status in ('in_house', 'completed') or new.status in ('in_house', 'completed'))
        and (old.status, new.status) not in (('live', 'in_house'), ('in_house', 'live'), ('in_house', 'completed')))
    execute function refuse_room_status();

-- Arrivals and departures: what the status of a room became, on which date of the hotel, and who said so. Append-only.
create table room_status_change (
    hotel_id       integer     not null,
    reservation_id uuid        not null,
    room_position  smallint    not null,
    change_id      bigint      generated always as identity,
    status         text        not null,
    -- The date of the hotel's business day.
    business_date  date        not null,
    -- Subject of the caller, or 'system'.
    actor          text        not null,
    create_time    timestamptz not null default now(),
    constraint room_status_change_pkey primary key (hotel_id, reservation_id, room_position, change_id),
    constraint room_status_change_status_known check (status in ('live', 'in_house', 'completed')),
    constraint room_status_change_actor_is_short check (char_length(actor) between 1 and 200)
);
create function refuse_room_status_change_update() returns trigger
    language plpgsql as
$$
begin
    raise exception 'arrivals and departures are never changed or deleted'
        using errcode = 'check_violation', constraint = 'room_status_change_is_append_only',
            table = 'room_status_change';
end
$$;
create trigger room_status_change_is_append_only before update or delete on room_status_change
    for each row execute function refuse_room_status_change_update();

-- Group blocks: rooms that are set aside for a group until a cut-off.
--
-- The rooms of a definite block that is not released count in room_type_inventory.total_reserved, less those that are
-- picked up, which count as rooms of their reservations. The release before this one has no blocks and takes their rooms
-- for sold.
create table group_block (
    hotel_id       integer     not null,
    -- The request_id of the request that created it; first in the key, so that its use in another hotel is found.
    group_block_id uuid        not null,
    code           text        not null,
    display_name   text        not null,
    status         text        not null,
    -- The cut-off by the hotel's clocks, and the instant that it was resolved to.
    cutoff_date    date        not null,
    cutoff_time    text        not null,
    cutoff_at      timestamptz not null,
    -- When what was not picked up went back to sale; null before.
    released_at    timestamptz,
    -- SHA-256 of the request that created it.
    content_hash   bytea       not null,
    create_time    timestamptz not null default now(),
    constraint group_block_pkey primary key (group_block_id, hotel_id),
    constraint group_block_code_unique unique (hotel_id, code),
    constraint group_block_hotel_positive check (hotel_id > 0),
    constraint group_block_code_form check (code ~ '^[A-Z0-9-]{3,20}$'),
    constraint group_block_name_length check (char_length(display_name) between 1 and 200),
    constraint group_block_status_known check (status in ('tentative', 'definite', 'cancelled')),
    constraint group_block_hash_length check (octet_length(content_hash) = 32)
);
create index group_block_list_idx on group_block (hotel_id, cutoff_date, group_block_id);
create index group_block_due_idx on group_block (cutoff_at) where released_at is null and status <> 'cancelled';

create table group_block_night (
    hotel_id       integer not null,
    group_block_id uuid    not null,
    room_type_id   integer not null,
    stay_date      date    not null,
    blocked        integer not null,
    picked_up      integer not null default 0,
    constraint group_block_night_pkey primary key (hotel_id, group_block_id, room_type_id, stay_date),
    constraint group_block_night_block_fkey foreign key (group_block_id, hotel_id) references group_block,
    constraint group_block_night_room_type_positive check (room_type_id > 0),
    constraint group_block_night_in_bounds check (0 <= picked_up and picked_up <= blocked and blocked <= 10000)
);

-- The reservations that were made out of a block.
create table group_block_pick_up (
    hotel_id       integer not null,
    reservation_id uuid    not null,
    group_block_id uuid    not null,
    constraint group_block_pick_up_pkey primary key (hotel_id, reservation_id),
    constraint group_block_pick_up_block_fkey foreign key (group_block_id, hotel_id) references group_block
);
create index group_block_pick_up_idx on group_block_pick_up (hotel_id, group_block_id, reservation_id);

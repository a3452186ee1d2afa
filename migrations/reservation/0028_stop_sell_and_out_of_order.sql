-- Stop-sell and rooms out of order.
--
-- Both are decided by the statement that makes `total_reserved` grow: it refuses a night with stop_sell, and rooms beyond
-- floor((total_inventory - out_of_order) * (100 + overbooking_percent) / 100). They are no part of the CHECK
-- `room_type_inventory_not_overbooked`, which stays on total_inventory: a night can be closed, and a room go out of order,
-- although more rooms are reserved. The release before this one decides by that CHECK alone.
alter table room_type_inventory
    -- Whether staff have closed the night: no more rooms of it are sold.
    add column stop_sell boolean not null default false,
    -- Rooms that are out of order in the night: those of `rooms_out_of_order`.
    add column out_of_order integer not null default 0,
    add constraint room_type_inventory_out_of_order_in_bounds check (out_of_order between 0 and 10000) not valid;

-- Nights closed by staff before they have inventory: they are closed when it is created.
create table stop_sell_ahead (
    hotel_id     integer not null,
    room_type_id integer not null,
    stay_date    date    not null,
    constraint stop_sell_ahead_pkey primary key (hotel_id, room_type_id, stay_date),
    constraint stop_sell_ahead_ids_positive check (hotel_id > 0 and room_type_id > 0)
);

-- Rooms that guests cannot use from from_date until the day before until_date. Blocks of one room may overlap, and then
-- the room counts once in each night: each block has its own reason and its own end, and the end of one does not put the
-- room back on sale while another lasts. An exclusion constraint would force staff to merge them.
create table out_of_order (
    hotel_id        integer     not null,
    -- The request_id of the request that created it; first in the key, so that its use in another hotel is found.
    out_of_order_id uuid        not null,
    room_id         integer     not null,
    -- The type of the room when the block was created.
    room_type_id    integer     not null,
    from_date       date        not null,
    until_date      date        not null,
    -- The end if staff ended it before until_date; null while they have not.
    end_date        date,
    -- out_of_order lowers what can be sold; out_of_service does not.
    kind            text        not null,
    reason          text        not null,
    create_time     timestamptz not null default now(),
    constraint out_of_order_pkey primary key (out_of_order_id, hotel_id),
    constraint out_of_order_ids_positive check (hotel_id > 0 and room_id > 0 and room_type_id > 0),
    constraint out_of_order_has_nights check (until_date > from_date),
    constraint out_of_order_ends_within check (end_date between from_date and until_date),
    constraint out_of_order_kind_known check (kind in ('out_of_order', 'out_of_service')),
    constraint out_of_order_reason_length check (char_length(reason) between 1 and 200)
);
create index out_of_order_room_type_idx on out_of_order (hotel_id, room_type_id, until_date);
create index out_of_order_list_idx on out_of_order (hotel_id, from_date, out_of_order_id);

-- The rooms of a type that are out of order in a night.
create function rooms_out_of_order(hotel integer, room_type integer, night date) returns integer
    language sql stable
    as
$$
    select count(distinct room_id)::integer from out_of_order
    where hotel_id = hotel and room_type_id = room_type and kind = 'out_of_order' and from_date <= night
        and until_date > night and coalesce(end_date, until_date) > night
$$;

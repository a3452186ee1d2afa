-- Version of the inventory of a room type, as staff set it, for its etag. Bookings and the daily job do not change it.
create table inventory_version (
    hotel_id     integer not null,
    room_type_id integer not null,
    version      bigint  not null,
    constraint inventory_version_pkey primary key (hotel_id, room_type_id),
    constraint inventory_version_ids_positive check (hotel_id > 0 and room_type_id > 0),
    constraint inventory_version_positive check (version > 0)
);

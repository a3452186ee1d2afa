-- Hotels, room types and rooms.
--
-- What is deleted stays, hidden, because reservations name it. `live` is true for what is not deleted and null for what
-- is; with it in the foreign keys the database itself keeps every live room in a live room type and every live room type
-- in a live hotel, whoever deletes and adds at the same time.

create table hotel (
    hotel_id      integer          generated always as identity,
    display_name  text             not null,
    description   text             not null,
    street        text             not null,
    city          text             not null,
    postal_code   text             not null,
    country_code  text             not null,
    -- Both null while nobody has said where it stands.
    latitude      double precision,
    longitude     double precision,
    time_zone     text             not null,
    currency_code text             not null,
    star_rating   integer          not null,
    amenities     text[]           not null,
    photo_urls    text[]           not null,
    version       bigint           not null default 1,
    create_time   timestamptz      not null default now(),
    update_time   timestamptz      not null default now(),
    -- Null while it is not deleted.
    delete_time   timestamptz,
    live          boolean          generated always as (case when delete_time is null then true end) stored,
    constraint hotel_pkey primary key (hotel_id),
    constraint hotel_live_key unique (hotel_id, live),
    constraint hotel_id_positive check (hotel_id > 0),
    constraint hotel_display_name_length check (char_length(display_name) between 1 and 200),
    constraint hotel_description_length check (char_length(description) <= 5000),
    constraint hotel_street_length check (char_length(street) <= 200),
    constraint hotel_city_length check (char_length(city) between 1 and 100),
    constraint hotel_postal_code_length check (char_length(postal_code) <= 20),
    constraint hotel_country_code_form check (country_code ~ '^[A-Z]{2}$'),
    constraint hotel_location_whole check ((latitude is null) = (longitude is null)),
    constraint hotel_latitude_range check (latitude between -90 and 90),
    constraint hotel_longitude_range check (longitude between -180 and 180),
    constraint hotel_time_zone_length check (char_length(time_zone) between 1 and 50),
    constraint hotel_currency_code_form check (currency_code ~ '^[A-Z]{3}$'),
    constraint hotel_star_rating_range check (star_rating between 0 and 5),
    constraint hotel_amenities_count check (cardinality(amenities) <= 100),
    constraint hotel_photo_urls_count check (cardinality(photo_urls) <= 50),
    constraint hotel_version_positive check (version > 0)
);
-- Hotels of a city, by id. The collation is named so that capitals of every script fold, whatever the database's own.
create index hotel_city_idx on hotel (lower(city collate "und-x-icu"), hotel_id) where live;
create index hotel_country_idx on hotel (country_code, hotel_id) where live;

-- The currency that rates and bookings are made in must not change under them.
create function hotel_currency_code_fixed() returns trigger language plpgsql as $$
begin
    raise exception 'a hotel keeps its currency'
        using errcode = 'check_violation', constraint = 'hotel_currency_code_fixed';
end
$$;
create trigger hotel_currency_code_fixed before update of currency_code on hotel
    for each row when (old.currency_code is distinct from new.currency_code)
    execute function hotel_currency_code_fixed();

create table room_type (
    room_type_id  integer     generated always as identity,
    hotel_id      integer     not null,
    display_name  text        not null,
    description   text        not null,
    -- [{"kind": 1, "count": 2}], as in the contract's Bed.
    beds          jsonb       not null,
    max_occupancy integer     not null,
    amenities     text[]      not null,
    photo_urls    text[]      not null,
    version       bigint      not null default 1,
    create_time   timestamptz not null default now(),
    update_time   timestamptz not null default now(),
    -- Null while it is not deleted.
    delete_time   timestamptz,
    live          boolean     generated always as (case when delete_time is null then true end) stored,
    constraint room_type_pkey primary key (room_type_id),
    constraint room_type_hotel_key unique (hotel_id, room_type_id),
    constraint room_type_live_key unique (hotel_id, room_type_id, live),
    constraint room_type_hotel_fkey foreign key (hotel_id) references hotel (hotel_id),
    constraint room_type_live_hotel_fkey foreign key (hotel_id, live) references hotel (hotel_id, live),
    constraint room_type_id_positive check (room_type_id > 0),
    constraint room_type_display_name_length check (char_length(display_name) between 1 and 200),
    constraint room_type_description_length check (char_length(description) <= 5000),
    constraint room_type_beds_count
        check (jsonb_typeof(beds) = 'array' and jsonb_array_length(beds) between 1 and 10),
    constraint room_type_max_occupancy_range check (max_occupancy between 1 and 20),
    constraint room_type_amenities_count check (cardinality(amenities) <= 100),
    constraint room_type_photo_urls_count check (cardinality(photo_urls) <= 50),
    constraint room_type_version_positive check (version > 0)
);
create unique index room_type_display_name_key on room_type (hotel_id, display_name) where live;

create table room (
    room_id      integer     generated always as identity,
    hotel_id     integer     not null,
    room_type_id integer     not null,
    room_number  text        not null,
    floor        integer     not null,
    version      bigint      not null default 1,
    create_time  timestamptz not null default now(),
    update_time  timestamptz not null default now(),
    -- Null while it is not deleted.
    delete_time  timestamptz,
    live         boolean     generated always as (case when delete_time is null then true end) stored,
    constraint room_pkey primary key (room_id),
    -- Declared in this order, so that an unknown hotel is told before an unknown room type.
    constraint room_hotel_fkey foreign key (hotel_id) references hotel (hotel_id),
    constraint room_live_hotel_fkey foreign key (hotel_id, live) references hotel (hotel_id, live),
    constraint room_room_type_fkey
        foreign key (hotel_id, room_type_id) references room_type (hotel_id, room_type_id),
    constraint room_live_room_type_fkey
        foreign key (hotel_id, room_type_id, live) references room_type (hotel_id, room_type_id, live),
    constraint room_id_positive check (room_id > 0),
    constraint room_room_number_length check (char_length(room_number) between 1 and 20),
    constraint room_floor_range check (floor between -10 and 200),
    constraint room_version_positive check (version > 0)
);
create unique index room_room_number_key on room (hotel_id, room_number) where live;
create index room_hotel_idx on room (hotel_id, room_id) where live;
create index room_room_type_idx on room (hotel_id, room_type_id, room_id) where live;

-- The first answers to requests that carried a request id, kept for good: a repeat may come at any time.
create table create_request (
    -- Whose request it was: the `sub` of the caller's token.
    subject     text        not null,
    request_id  uuid        not null,
    -- SHA-256 of the method and the request.
    fingerprint bytea       not null,
    -- The answer, an encoded message of the contract. Null only inside the transaction that makes it.
    answer      bytea,
    create_time timestamptz not null default now(),
    constraint create_request_pkey primary key (subject, request_id),
    constraint create_request_subject_length check (char_length(subject) between 1 and 200),
    constraint create_request_fingerprint_length check (octet_length(fingerprint) = 32)
);

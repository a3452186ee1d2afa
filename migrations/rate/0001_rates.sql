-- What rooms cost. All amounts are minor units of the hotel's currency.

-- The currency of each hotel that has prices. It is the hotel service's to say; here it makes the database refuse two
-- currencies in one hotel.
create table hotel_currency (
    hotel_id      integer not null,
    currency_code text    not null,
    constraint hotel_currency_pkey primary key (hotel_id),
    constraint hotel_currency_code_key unique (hotel_id, currency_code),
    constraint hotel_currency_hotel_id_positive check (hotel_id > 0),
    constraint hotel_currency_code_form check (currency_code ~ '^[A-Z]{3}$')
);

create table room_rate (
    hotel_id                integer     not null,
    room_type_id            integer     not null,
    currency_code           text        not null,
    base_price_minor        bigint      not null,
    free_until_hours_before integer     not null,
    late_penalty_percent    integer     not null,
    version                 bigint      not null default 1,
    create_time             timestamptz not null default now(),
    update_time             timestamptz not null default now(),
    constraint room_rate_pkey primary key (hotel_id, room_type_id),
    constraint room_rate_currency_key unique (hotel_id, room_type_id, currency_code),
    constraint room_rate_hotel_currency_fkey
        foreign key (hotel_id, currency_code) references hotel_currency (hotel_id, currency_code),
    constraint room_rate_room_type_id_positive check (room_type_id > 0),
    constraint room_rate_base_price_range check (base_price_minor between 0 and 999999999999999),
    constraint room_rate_free_until_hours_range check (free_until_hours_before between 0 and 8760),
    constraint room_rate_late_penalty_range check (late_penalty_percent between 0 and 100),
    constraint room_rate_version_positive check (version > 0)
);

create table occupancy_rule (
    hotel_id             integer not null,
    room_type_id         integer not null,
    sold_percent         integer not null,
    price_change_percent integer not null,
    -- One rule for each threshold.
    constraint occupancy_rule_pkey primary key (hotel_id, room_type_id, sold_percent),
    constraint occupancy_rule_room_rate_fkey
        foreign key (hotel_id, room_type_id) references room_rate (hotel_id, room_type_id),
    constraint occupancy_rule_sold_percent_range check (sold_percent between 1 and 100),
    constraint occupancy_rule_price_change_range check (price_change_percent between -90 and 400)
);

-- Nights whose price is not the base price.
create table nightly_price (
    hotel_id      integer not null,
    room_type_id  integer not null,
    stay_date     date    not null,
    currency_code text    not null,
    price_minor   bigint  not null,
    constraint nightly_price_pkey primary key (hotel_id, room_type_id, stay_date),
    -- With the currency in the key, a night cannot be priced in another one than its room type.
    constraint nightly_price_room_rate_fkey foreign key (hotel_id, room_type_id, currency_code)
        references room_rate (hotel_id, room_type_id, currency_code),
    constraint nightly_price_range check (price_minor between 0 and 999999999999999),
    constraint nightly_price_stay_date_range check (stay_date between '2000-01-01' and '2200-12-31')
);

create table tax (
    hotel_id             integer not null,
    -- Its place on the bill, from 1.
    position             integer not null,
    display_name         text    not null,
    -- A share of the price of the nights; null for an amount.
    basis_points         integer,
    -- An amount for each room and night, and its currency; null for a share.
    per_room_night_minor bigint,
    currency_code        text,
    constraint tax_pkey primary key (hotel_id, position),
    constraint tax_display_name_key unique (hotel_id, display_name),
    constraint tax_hotel_fkey foreign key (hotel_id) references hotel_currency (hotel_id),
    constraint tax_hotel_currency_fkey
        foreign key (hotel_id, currency_code) references hotel_currency (hotel_id, currency_code),
    constraint tax_position_range check (position between 1 and 20),
    constraint tax_display_name_length check (char_length(display_name) between 1 and 100),
    constraint tax_one_kind check ((basis_points is null) <> (per_room_night_minor is null)),
    constraint tax_amount_has_currency check ((per_room_night_minor is null) = (currency_code is null)),
    constraint tax_basis_points_range check (basis_points between 1 and 10000),
    constraint tax_per_room_night_range check (per_room_night_minor between 0 and 999999999999999)
);

-- Versions of the taxes of a hotel and of the nightly prices of a room type, for their etags.
alter table hotel_currency
    add column tax_version bigint not null default 0,
    add constraint hotel_currency_tax_version_not_negative check (tax_version >= 0);
-- Not a column of room_rate: a rate from before a limit of its price could then not be updated.
create table nightly_price_version (
    hotel_id     integer not null,
    room_type_id integer not null,
    version      bigint  not null,
    constraint nightly_price_version_pkey primary key (hotel_id, room_type_id),
    constraint nightly_price_version_room_rate_fkey foreign key (hotel_id, room_type_id)
        references room_rate (hotel_id, room_type_id) on delete cascade,
    constraint nightly_price_version_positive check (version > 0)
);

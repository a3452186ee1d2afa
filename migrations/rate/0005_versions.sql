-- Versions of the taxes of a hotel and of the nightly prices of a room type, for their etags.
alter table hotel_currency
    add column tax_version bigint not null default 0,
    add constraint hotel_currency_tax_version_not_negative check (tax_version >= 0);
alter table room_rate
    add column nights_version bigint not null default 0,
    add constraint room_rate_nights_version_not_negative check (nights_version >= 0);

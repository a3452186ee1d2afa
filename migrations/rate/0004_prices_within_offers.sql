-- Prices and fees with which long stays in many rooms can still be computed. Not valid yet, as in 0002: rows of before are
-- for staff to correct, and such a room type is not offered for a stay whose price is out of range.
alter table room_rate
    add constraint room_rate_base_price_in_offers check (base_price_minor <= 20000000000) not valid;
alter table nightly_price
    add constraint nightly_price_in_offers check (price_minor <= 20000000000) not valid;
alter table tax
    add constraint tax_per_room_night_in_offers check (per_room_night_minor <= 20000000000) not valid;

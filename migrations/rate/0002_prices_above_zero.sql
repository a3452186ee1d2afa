-- What costs nothing could never be paid for. Not valid yet: rows of before are for staff to put right, and the next
-- migration on these constraints validates them.
alter table room_rate
    add constraint room_rate_base_price_above_zero check (base_price_minor > 0) not valid;
alter table nightly_price
    add constraint nightly_price_above_zero check (price_minor > 0) not valid;

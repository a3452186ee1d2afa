-- no-transaction
-- A partner's reservations in the order of their changes. Guests have few, and their bookings do not pay for it.
create index concurrently reservation_partner_change_idx on reservation (owner, change_xid, reservation_id)
    where owner like 'client:%';

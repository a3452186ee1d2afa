-- no-transaction
-- A hotel's reservations in the order of their changes.
create index concurrently reservation_hotel_change_idx on reservation (hotel_id, change_xid, reservation_id);

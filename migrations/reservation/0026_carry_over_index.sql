-- no-transaction
-- The reservations that have no lines yet, for carrying them over and for the check.
create index concurrently reservation_without_rooms_idx on reservation (hotel_id, reservation_id) where revision is null;

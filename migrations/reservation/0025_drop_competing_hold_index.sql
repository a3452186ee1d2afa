-- no-transaction
-- By the room type of the reservation, of which its rooms may have several. A release that still reads by it finds the
-- holds through the index on (hotel_id, hold_expire_time).
drop index concurrently reservation_competing_hold_idx;

-- no-transaction
-- The reservations that have no lines yet, in key order, as `carry_over_rooms` takes them and the check reads them:
-- without it, each batch would read the whole table. It is empty once all are carried over, and a new booking has a
-- revision, so it costs bookings nothing. It is a migration of its own because it is built while bookings go on.
create index concurrently reservation_without_rooms_idx on reservation (hotel_id, reservation_id)
    where revision is null;

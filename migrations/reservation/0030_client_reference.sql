-- The caller's own reference of a booking; null for bookings without one. Unique for good: reservations are never deleted.
alter table reservation add column client_reference text;
alter table reservation add constraint reservation_client_reference_is_short
    check (char_length(client_reference) between 3 and 64) not valid;
